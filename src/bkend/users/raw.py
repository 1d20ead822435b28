"""`/raw/avatars/…`: where pictures are put by a signed address and read by everybody (11 §4).

Neither key nor token is looked at. Any origin may call: the address is the permission (00 §11).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.utils import formatdate, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bkend.core import Core
from bkend.errors import ApiError
from bkend.http.exchange import Exchange
from bkend.http.gate import check_environment
from bkend.objects.errors import ObjectAccessDenied, ObjectNotFound, ObjectOverLimit
from bkend.objects.interface import ObjectInfo, OpenObject
from bkend.users.avatar_keys import AREA, RAW, AvatarKey, parse_key, sniff
from bkend.users.avatars import LARGEST_AVATAR

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~ ,-]{1,1024}")
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Content-Length, Content-Range, X-Request-Id",
}
_SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",
    **_CORS,
}
_CACHED = {"cache-control": "public, max-age=86400"}
_SNIFFED = 12


async def serve_avatar(request: Request) -> Response:
    """GET, HEAD, PUT and preflight of one picture; errors carry the CORS headers too."""
    if request.method == "OPTIONS":
        return _preflight(request)
    try:
        key = parse_key(f"{AREA}/{request.path_params['path']}")
        if request.method == "PUT":
            return await _put(request, key)
        return await _get(request, key)
    except ApiError as error:
        error.headers.update(_CORS)
        raise


async def _put(request: Request, key: AvatarKey | None) -> Response:
    core: Core = request.app.state.core
    exchange: Exchange = request.scope["bkend.exchange"]
    grant = core.uploads.check(key.key, exchange.query_string) if key else None
    if key is None or grant is None:
        raise ObjectAccessDenied
    environment = await core.environments.get(grant.environment_id)
    if environment is None:
        raise ObjectAccessDenied
    check_environment(environment)
    declared = exchange.headers.get("content-length")
    if declared and declared.isdigit() and int(declared) > LARGEST_AVATAR:
        raise ObjectOverLimit(LARGEST_AVATAR)
    content_type = (exchange.headers.get("content-type") or "").partition(";")[0].strip().lower()
    avatars = environment.services.users.avatars
    stored = await avatars.receive(key, content_type, _parts(exchange))
    return Response(status_code=200, headers={"etag": f'"{stored.etag}"', **_CORS})


async def _parts(exchange: Exchange) -> AsyncIterator[bytes]:
    more = True
    while more:
        part, more = await exchange.chunk()
        if part:
            yield part


async def _get(request: Request, key: AvatarKey | None) -> Response:
    core: Core = request.app.state.core
    found = await core.objects.open(key.key) if key else None
    if found is None:
        raise ObjectNotFound
    info = found.info
    headers = {
        "etag": f'"{info.etag}"',
        "last-modified": formatdate(info.modified_at // 1000, usegmt=True),
        **_CACHED,
        **_SAFE,
    }
    if _is_unchanged(request, info):
        await found.close()
        return Response(status_code=304, headers=headers)
    head = b"".join([part async for part in found.parts(0, _SNIFFED)])
    headers["content-type"] = sniff(head) or "application/octet-stream"
    headers["content-length"] = str(info.size)
    if request.method == "HEAD":
        await found.close()
        return Response(headers=headers)
    return StreamingResponse(_whole(found), headers=headers)


async def _whole(found: OpenObject) -> AsyncIterator[bytes]:
    try:
        async for part in found.parts():
            yield part
    finally:
        await found.close()


def _is_unchanged(request: Request, info: ObjectInfo) -> bool:
    """Whether the client has these bytes already; the tag decides where both are given."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or f'"{info.etag}"' in known
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return info.modified_at // 1000 <= int(parsedate_to_datetime(since).timestamp())
    except (ValueError, OverflowError):
        return False


def _preflight(request: Request) -> Response:
    asked = request.headers.get("access-control-request-headers", "")
    headers = {
        **_CORS,
        "access-control-allow-methods": "GET, HEAD, PUT, OPTIONS",
        "access-control-allow-headers": asked if _HEADER_NAMES.fullmatch(asked) else "*",
        "access-control-max-age": "7200",
        "vary": "Access-Control-Request-Headers",
    }
    return Response(status_code=204, headers=headers)


routes = [Route(f"{RAW}{AREA}/{{path:path}}", serve_avatar, methods=["GET", "PUT", "OPTIONS"])]
