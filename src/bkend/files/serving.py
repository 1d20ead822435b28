"""Bytes that go out: whole or in ranges, only if they changed (30 §7)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bkend.files.errors import RangeNotSatisfiable
from bkend.files.ranges import ByteRange, parse_ranges
from bkend.ids import uuid4
from bkend.objects.interface import ObjectInfo, OpenObject

CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Content-Length, Content-Range, X-Request-Id",
}
SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",
    **CORS,
}
PUBLIC = "public, max-age=86400"


class ObjectResponse(StreamingResponse):
    """Sends the body, and lets the object go in every case."""

    def __init__(self, found: OpenObject, body: AsyncIterator[bytes], **options: object) -> None:
        super().__init__(body, **options)  # type: ignore[arg-type]
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._found.close()


async def serve_object(
    request: Request, found: OpenObject, etag: str, headers: Mapping[str, str]
) -> Response:
    """The answer to GET and HEAD of an object; `headers` tell its type, and how to keep it.

    Raises RangeNotSatisfiable. The object is closed in the end.
    """
    info = found.info
    unchanged = answer_unchanged(request, info, etag, headers)
    if unchanged is not None:
        await found.close()
        return unchanged
    tag, modified = f'"{etag}"', info.modified_at // 1000
    sent = _sent(info, etag, headers)
    ranges: list[ByteRange] = []
    if request.method == "GET" and _is_range_meant(request, tag, modified):
        try:
            ranges = parse_ranges(request.headers.get("range"), info.size)
        except RangeNotSatisfiable:
            await found.close()
            raise
    if not ranges:
        sent["content-length"] = str(info.size)
        if request.method == "HEAD":
            await found.close()
            return Response(headers=sent)
        return ObjectResponse(found, found.parts(), headers=sent)
    if len(ranges) == 1:
        [one] = ranges
        sent["content-range"] = _content_range(one, info.size)
        sent["content-length"] = str(one.length)
        body = found.parts(one.start, one.length)
        return ObjectResponse(found, body, status_code=206, headers=sent)
    return _several(found, ranges, sent)


def answer_unchanged(
    request: Request, info: ObjectInfo, etag: str, headers: Mapping[str, str]
) -> Response | None:
    """The 304 for a client that has these bytes already, or None."""
    if not _is_unchanged(request, f'"{etag}"', info.modified_at // 1000):
        return None
    sent = _sent(info, etag, headers)
    sent.pop("content-type", None)
    return Response(status_code=304, headers=sent)


def _sent(info: ObjectInfo, etag: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {
        "etag": f'"{etag}"',
        "last-modified": formatdate(info.modified_at // 1000, usegmt=True),
        "accept-ranges": "bytes",
        **SAFE,
        **headers,
    }


def _several(found: OpenObject, ranges: list[ByteRange], sent: dict[str, str]) -> Response:
    """A `multipart/byteranges` answer."""
    boundary, size = uuid4(), found.info.size
    kind = sent.pop("content-type")
    heads = [
        f"--{boundary}\r\nContent-Type: {kind}\r\n"
        f"Content-Range: {_content_range(one, size)}\r\n\r\n".encode()
        for one in ranges
    ]
    end = f"--{boundary}--\r\n".encode()
    length = sum(len(head) + 2 for head in heads) + sum(one.length for one in ranges) + len(end)

    async def body() -> AsyncIterator[bytes]:
        for head, one in zip(heads, ranges, strict=True):
            yield head
            async for part in found.parts(one.start, one.length):
                yield part
            yield b"\r\n"
        yield end

    sent["content-type"] = f"multipart/byteranges; boundary={boundary}"
    sent["content-length"] = str(length)
    return ObjectResponse(found, body(), status_code=206, headers=sent)


def _content_range(one: ByteRange, size: int) -> str:
    return f"bytes {one.start}-{one.end - 1}/{size}"


def _is_unchanged(request: Request, tag: str, modified: int) -> bool:
    """Whether the client has these bytes already; the tag decides where both are given."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = {one.strip().removeprefix("W/") for one in tags.split(",")}
        return "*" in known or tag in known
    since = _seconds(request.headers.get("if-modified-since"))
    return since is not None and modified <= since


def _is_range_meant(request: Request, tag: str, modified: int) -> bool:
    """Whether the range is of these bytes (`If-Range`)."""
    condition = request.headers.get("if-range")
    if condition is None or condition.strip() == tag:
        return True
    return _seconds(condition) == modified


def _seconds(date: str | None) -> int | None:
    try:
        return int(parsedate_to_datetime(date).timestamp()) if date else None
    except (ValueError, OverflowError):
        return None
