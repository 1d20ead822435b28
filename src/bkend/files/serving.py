"""Bytes that go out: whole or in ranges, only if they changed (30 §7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from bkend.files.ranges import ByteRange, parse_ranges
from bkend.http.exchange import Exchange
from bkend.http.transports import Headers, RequestHeaders
from bkend.ids import uuid4
from bkend.objects.interface import ObjectInfo, ObjectsUnavailable, OpenObject

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
_ALIKE: Headers = [("accept-ranges", "bytes"), *SAFE.items()]
_AT_ONCE = 256 * 1024
"""Up to so many bytes are sent in one step."""
_CONDITIONS = ("range", "if-none-match", "if-modified-since")


@dataclass(frozen=True, slots=True)
class Shown:
    """An object on its way out, which is closed in the end."""

    found: OpenObject
    etag: str
    """Without quotes."""
    headers: Headers
    """Its `content-type`, how it may be shown and kept."""
    is_lasting: bool = False
    """Whether other bytes never come in its place, so that others may open its file by name."""


def asks_for_the_whole(exchange: Exchange) -> bool:
    """Whether it is a plain GET."""
    sent = exchange.headers
    return exchange.method == "GET" and not any(name in sent for name in _CONDITIONS)


def send_seen(exchange: Exchange, info: ObjectInfo, etag: str, headers: Headers, path: str) -> bool:
    """Have the server send all bytes of a file that nobody has opened for this; whether it can."""
    sent = whole_headers(exchange, info, etag, headers)
    if not exchange.transport.send_file(200, sent, path, 0, info.size):
        return False
    exchange.status = 200
    return True


def whole_headers(exchange: Exchange, info: ObjectInfo, etag: str, headers: Headers) -> Headers:
    """All headers of an answer with all bytes."""
    return [*_common(exchange, info, etag), *headers, ("content-length", str(info.size))]


async def send_object(exchange: Exchange, shown: Shown) -> None:
    """Answer GET and HEAD of an object. Raises RangeNotSatisfiable, ObjectsUnavailable;
    Disconnected."""
    try:
        if not await send_unchanged(exchange, shown.found.info, shown.etag, shown.headers):
            await _send(exchange, shown)
    finally:
        await shown.found.close()


async def send_unchanged(exchange: Exchange, info: ObjectInfo, etag: str, headers: Headers) -> bool:
    """Answer 304 to a client that has these bytes already; whether that was done."""
    if not _is_unchanged(exchange.headers, f'"{etag}"', info.modified_at // 1000):
        return False
    kept = [pair for pair in headers if pair[0] != "content-type"]
    await exchange.send(304, [*_common(exchange, info, etag), *kept], b"")
    return True


@lru_cache(maxsize=4096)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _common(exchange: Exchange, info: ObjectInfo, etag: str) -> Headers:
    return [
        ("etag", f'"{etag}"'),
        ("last-modified", _date(info.modified_at // 1000)),
        *_ALIKE,
        *exchange.common_headers(),
    ]


async def _send(exchange: Exchange, shown: Shown) -> None:
    info, asked = shown.found.info, exchange.headers
    headers = _common(exchange, info, shown.etag)
    ranges: list[ByteRange] = []
    if exchange.method == "GET" and _is_range_meant(asked, shown.etag, info):
        ranges = parse_ranges(asked.get("range"), info.size)
    if len(ranges) > 1:
        await _send_several(exchange, shown, ranges, headers)
        return
    status, window = 200, ByteRange(0, info.size)
    headers += shown.headers
    if ranges:
        status, [window] = 206, ranges
        headers.append(("content-range", _content_range(window, info.size)))
    headers.append(("content-length", str(window.length)))
    if exchange.method == "HEAD":
        await exchange.send(status, headers, b"")
    else:
        await _send_window(exchange, shown, window, status, headers)


async def _send_window(
    exchange: Exchange, shown: Shown, window: ByteRange, status: int, headers: Headers
) -> None:
    found, start, length = shown.found, window.start, window.length
    if length <= _AT_ONCE:
        body = b"".join([part async for part in found.parts(start, length)])
        if len(body) != length:
            raise ObjectsUnavailable(f"{found.info.key} ends too early")
        await exchange.send(status, headers, body)
        return
    path = found.path if shown.is_lasting else None
    if path is not None and exchange.transport.send_file(status, headers, path, start, length):
        exchange.status = status
        return
    await _stream(exchange, status, headers, found.parts(start, length))


async def _send_several(
    exchange: Exchange, shown: Shown, ranges: list[ByteRange], headers: Headers
) -> None:
    """A `multipart/byteranges` answer."""
    boundary, size = uuid4(), shown.found.info.size
    kind = dict(shown.headers)["content-type"]
    others = [pair for pair in shown.headers if pair[0] != "content-type"]
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
            async for part in shown.found.parts(one.start, one.length):
                yield part
            yield b"\r\n"
        yield end

    headers += [
        ("content-type", f"multipart/byteranges; boundary={boundary}"),
        ("content-length", str(length)),
        *others,
    ]
    await _stream(exchange, 206, headers, body())


async def _stream(
    exchange: Exchange, status: int, headers: Headers, body: AsyncIterator[bytes]
) -> None:
    """Send parts as they come. One that fails leaves the answer incomplete, which the client
    notices: its length was announced."""
    exchange.status = status
    writer = await exchange.transport.stream(status, headers)
    try:
        async for part in body:
            await writer.send_bytes(part)
    finally:
        await exchange.transport.end()


def _content_range(one: ByteRange, size: int) -> str:
    return f"bytes {one.start}-{one.end - 1}/{size}"


def _is_unchanged(asked: RequestHeaders, tag: str, modified: int) -> bool:
    """Whether the client has these bytes already; the tag decides where both are given."""
    tags = asked.get("if-none-match")
    if tags is not None:
        known = {one.strip().removeprefix("W/") for one in tags.split(",")}
        return "*" in known or tag in known
    since = _seconds(asked.get("if-modified-since"))
    return since is not None and modified <= since


def _is_range_meant(asked: RequestHeaders, etag: str, info: ObjectInfo) -> bool:
    """Whether the range is of these bytes (`If-Range`)."""
    condition = asked.get("if-range")
    if condition is None or condition.strip() == f'"{etag}"':
        return True
    return _seconds(condition) == info.modified_at // 1000


def _seconds(date: str | None) -> int | None:
    try:
        return int(parsedate_to_datetime(date).timestamp()) if date else None
    except (ValueError, OverflowError):
        return None
