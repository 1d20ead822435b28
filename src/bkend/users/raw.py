"""Pictures at `/raw/avatars/…`: put by a signed address, read by everybody (11 §4)."""

from __future__ import annotations

from bkend.core import Core
from bkend.files.serving import PUBLIC, Shown
from bkend.files.signing import read_signature
from bkend.http.exchange import Exchange
from bkend.http.gate import check_environment
from bkend.objects.errors import ObjectAccessDenied, ObjectNotFound, ObjectOverLimit
from bkend.objects.interface import ObjectInfo
from bkend.users.avatar_keys import parse_key, sniff
from bkend.users.avatars import LARGEST_AVATAR

_SNIFFED = 12
_SETTLED_MS = 24 * 60 * 60 * 1000


async def receive_avatar(core: Core, exchange: Exchange, path: str) -> str:
    """Store a picture; its ETag. Raises ObjectAccessDenied, ObjectOverLimit,
    UnsupportedObjectType."""
    key, signature = parse_key(path), read_signature(exchange.query_string)
    environment = None
    if key is not None and signature is not None and signature.environment_id:
        environment = await core.environments.get(signature.environment_id)
    if environment is None or key is None or signature is None:
        raise ObjectAccessDenied
    avatars = environment.services.users.avatars
    if not core.file_signer.accepts(avatars.permit(key.key), signature):
        raise ObjectAccessDenied
    check_environment(environment)
    declared = exchange.headers.get("content-length")
    if declared and declared.isdigit() and int(declared) > LARGEST_AVATAR:
        raise ObjectOverLimit(LARGEST_AVATAR)
    content_type = (exchange.headers.get("content-type") or "").partition(";")[0].strip().lower()
    return (await avatars.receive(key, content_type, exchange.stream())).etag


async def open_avatar(core: Core, path: str) -> Shown:
    """The picture, with the type that its bytes tell. Raises ObjectNotFound."""
    key = parse_key(path)
    if key is None:
        raise ObjectNotFound
    found = await core.objects.open(key.key)
    if found is None:
        raise ObjectNotFound
    kind = sniff(b"".join([part async for part in found.parts(0, _SNIFFED)]))
    headers = [
        ("content-type", kind or "application/octet-stream"),
        ("content-disposition", "inline" if kind else "attachment"),
        ("cache-control", PUBLIC),
    ]
    return Shown(found, found.info.etag, headers, has_settled(core, found.info))


def has_settled(core: Core, info: ObjectInfo) -> bool:
    """Whether nobody can put other bytes there any more: addresses for that end in minutes."""
    return info.modified_at < core.clock.now_ms() - _SETTLED_MS
