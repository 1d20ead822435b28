"""Pictures at `/raw/avatars/…`: put by a signed address, read by everybody (11 §4)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bkend.core import Core
from bkend.files.serving import CORS, PUBLIC, serve_object
from bkend.http.exchange import Exchange
from bkend.http.gate import check_environment
from bkend.objects.errors import ObjectAccessDenied, ObjectNotFound, ObjectOverLimit
from bkend.users.avatar_keys import parse_key, sniff
from bkend.users.avatars import LARGEST_AVATAR

_SNIFFED = 12


async def put_avatar(request: Request, path: str) -> Response:
    """Store a picture. Raises ObjectAccessDenied, ObjectOverLimit, UnsupportedObjectType."""
    core: Core = request.app.state.core
    exchange: Exchange = request.scope["bkend.exchange"]
    key = parse_key(path)
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
    stored = await avatars.receive(key, content_type, exchange.stream())
    return Response(status_code=200, headers={"etag": f'"{stored.etag}"', **CORS})


async def get_avatar(request: Request, path: str) -> Response:
    """The picture, with the type that its bytes tell. Raises ObjectNotFound."""
    core: Core = request.app.state.core
    key = parse_key(path)
    found = await core.objects.open(key.key) if key else None
    if found is None:
        raise ObjectNotFound
    head = b"".join([part async for part in found.parts(0, _SNIFFED)])
    kind = sniff(head) or "application/octet-stream"
    headers = {"content-type": kind, "cache-control": PUBLIC}
    return await serve_object(request, found, found.info.etag, headers)
