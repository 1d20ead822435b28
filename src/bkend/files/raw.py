"""`/raw/{key}`: where bytes are put by signed addresses, and read (30 §5.2, §7; 11 §4).

Neither key nor token is looked at. Any origin may call: the address is the permission (00 §11).
A lane of its own beside FastAPI, since most requests of an app with pictures come here.
"""

from __future__ import annotations

import re
from typing import Any

import structlog

from bkend.core import Core
from bkend.environment import Environment
from bkend.errors import ApiError, MethodNotAllowed, Unavailable
from bkend.files.downloads import PRIVATE, disposition
from bkend.files.errors import FileAccessDenied, FileNotFound
from bkend.files.receiving import receive_signed
from bkend.files.serving import (
    CORS,
    PUBLIC,
    Shown,
    asks_for_the_whole,
    send_object,
    send_seen,
)
from bkend.files.signing import read_signature
from bkend.http.exchange import Exchange, Sending
from bkend.http.gate import check_environment, is_active
from bkend.http.transports import Headers
from bkend.objects.interface import ObjectInfo
from bkend.store import StoreUnavailable
from bkend.users.avatar_keys import AREA
from bkend.users.raw import has_settled, open_avatar, receive_avatar

PREFIX = "/raw/"
ROUTE = "/raw/{key:path}"
METHODS = ("GET", "HEAD", "OPTIONS", "PUT")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~ ,-]{1,1024}")

log = structlog.get_logger("bkend.http")


def handle_raw(core: Core, exchange: Exchange) -> Sending:
    """GET, HEAD, PUT and preflight of one object; what is returned, if anything, is to be waited
    for. Refusals carry the CORS headers too."""
    exchange.route = ROUTE
    key = exchange.path.removeprefix(PREFIX)
    if asks_for_the_whole(exchange) and _sent_at_once(core, exchange, key):
        return None
    return _handle(core, exchange, key)


def _sent_at_once(core: Core, exchange: Exchange, key: str) -> bool:
    """Whether this is a public registered file that was asked for lately, so that nothing need be
    waited for. Its bytes never change; only if somebody has taken them from the disk behind our
    back is the answer the server's own 404."""
    seen, id = core.objects.seen(key), core.places.at_once(key)
    environment = core.environments.cached(id) if id else None
    if seen is None or environment is None or not is_active(environment):
        return False
    document = environment.services.files.known.at_once(key)
    if document is None or document["visibility"] != "public":
        return False
    info, path = seen
    if document.get("objectTag") != info.etag:
        return False
    return send_seen(exchange, info, *_described(document, info), path)


def _described(document: dict[str, Any], info: ObjectInfo) -> tuple[str, Headers]:
    """The tag of a file's bytes, and the headers that tell what they are."""
    is_public = document["visibility"] == "public"
    is_noted = document.get("objectTag") == info.etag
    headers = [
        ("content-type", document["mimeType"]),
        ("content-disposition", disposition(document, as_attachment=not is_public)),
        ("cache-control", PUBLIC if is_public else PRIVATE),
    ]
    return (is_noted and document.get("etag")) or info.etag, headers


async def _handle(core: Core, exchange: Exchange, key: str) -> None:
    try:
        match exchange.method:
            case "GET" | "HEAD":
                await _get(core, exchange, key)
            case "PUT":
                await _put(core, exchange, key)
            case "OPTIONS":
                await preflight(exchange, "GET, HEAD, PUT, OPTIONS")
            case other:
                raise MethodNotAllowed(other, METHODS)
    except ApiError as error:
        error.headers.update(CORS)
        raise
    except StoreUnavailable as error:
        log.error("storage unavailable", reason=str(error), request_id=exchange.request_id)
        refusal = Unavailable()
        refusal.headers.update(CORS)
        raise refusal from None


async def _put(core: Core, exchange: Exchange, key: str) -> None:
    receive = receive_avatar if key.startswith(f"{AREA}/") else receive_signed
    etag = await receive(core, exchange, key)
    headers = [("etag", f'"{etag}"'), ("content-length", "0"), *CORS.items()]
    await exchange.send(200, [*headers, *exchange.common_headers()], b"")


async def _get(core: Core, exchange: Exchange, key: str) -> None:
    if key.startswith(f"{AREA}/"):
        await send_object(exchange, await open_avatar(core, key))
    else:
        await serve_file(core, exchange, key)


async def serve_file(core: Core, exchange: Exchange, key: str) -> None:
    """The bytes of a public file, or to a signed address. Raises FileNotFound, FileAccessDenied,
    RangeNotSatisfiable, EnvironmentNotActive."""
    environment, document = await known_file(core, key)
    is_public = document["visibility"] == "public"
    if not is_public and not _is_signed(core, environment, document, exchange.query_string):
        raise FileAccessDenied
    found = await core.objects.open(key)
    if found is None:
        raise FileNotFound
    info = found.info
    # Bytes of a registered file never change; of an upload on its way they may, for some minutes.
    is_registered = "uploadId" not in document and document.get("objectTag") == info.etag
    is_lasting = is_registered or has_settled(core, info)
    await send_object(exchange, Shown(found, *_described(document, info), is_lasting))


async def known_file(core: Core, key: str) -> tuple[Environment, dict[str, Any]]:
    """The registered file of the key, or the upload on its way. Raises FileNotFound, also where
    the environment is gone; EnvironmentNotActive."""
    environment_id = await core.places.environment_of(key)
    environment = await core.environments.get(environment_id) if environment_id else None
    if environment is None:
        raise FileNotFound
    check_environment(environment)
    files = environment.services.files
    document = await files.known.find(key) or await files.uploads.of_key(key)
    if document is None:
        raise FileNotFound
    return environment, document


def _is_signed(core: Core, environment: Environment, document: dict[str, Any], query: str) -> bool:
    """Whether the address was given out to download this file, and has not ended. Raises
    FileAccessDenied with a sentence for those it was given to."""
    signature = read_signature(query)
    if signature is None or signature.upload_id or signature.environment_id:
        return False
    permit = environment.services.files.download_permit(document)
    if not core.file_signer.accepts(permit, signature):
        raise FileAccessDenied("Request has expired")
    return True


async def preflight(exchange: Exchange, methods: str) -> None:
    """To browsers that ask before they send: any origin and header, these methods."""
    asked = exchange.headers.get("access-control-request-headers") or ""
    headers = [
        *CORS.items(),
        ("access-control-allow-methods", methods),
        ("access-control-allow-headers", asked if _HEADER_NAMES.fullmatch(asked) else "*"),
        ("access-control-max-age", "7200"),
        ("vary", "Access-Control-Request-Headers"),
        *exchange.common_headers(),
    ]
    await exchange.send(204, headers, b"")
