"""`/raw/{key}`: where bytes are put by signed addresses, and read (30 §5.2, §7).

Neither key nor token is looked at. Any origin may call: the address is the permission (00 §11).
"""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bkend.core import Core
from bkend.environment import Environment
from bkend.errors import ApiError
from bkend.files.collections import FILES
from bkend.files.downloads import PRIVATE, disposition
from bkend.files.errors import FileAccessDenied, FileNotFound
from bkend.files.receiving import receive_signed
from bkend.files.serving import CORS, PUBLIC, serve_object
from bkend.files.signing import read_signature
from bkend.http.exchange import Exchange
from bkend.http.gate import check_environment
from bkend.users.avatar_keys import AREA
from bkend.users.raw import get_avatar, put_avatar

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~ ,-]{1,1024}")


async def serve_raw(request: Request) -> Response:
    """GET, HEAD, PUT and preflight of one object; errors carry the CORS headers too."""
    if request.method == "OPTIONS":
        return preflight(request, "GET, HEAD, PUT, OPTIONS")
    key = request.path_params["key"]
    is_avatar = key.startswith(f"{AREA}/")
    try:
        if request.method == "PUT":
            return await (put_avatar if is_avatar else _put)(request, key)
        return await (get_avatar if is_avatar else serve_file)(request, key)
    except ApiError as error:
        error.headers.update(CORS)
        raise


async def _put(request: Request, key: str) -> Response:
    core: Core = request.app.state.core
    exchange: Exchange = request.scope["bkend.exchange"]
    md5 = await receive_signed(core, exchange, key)
    return Response(status_code=200, headers={"etag": f'"{md5}"', **CORS})


async def serve_file(request: Request, key: str) -> Response:
    """The bytes of a public file, or to a signed address. Raises FileNotFound, FileAccessDenied,
    RangeNotSatisfiable, EnvironmentNotActive."""
    core: Core = request.app.state.core
    environment, document = await known_file(core, key)
    is_public = document["visibility"] == "public"
    if not is_public and not _is_signed(core, environment, document, request.url.query):
        raise FileAccessDenied
    found = await core.objects.open(key)
    if found is None:
        raise FileNotFound
    is_noted = document.get("objectTag") == found.info.etag and document.get("etag")
    headers = {
        "content-type": document["mimeType"],
        "content-disposition": disposition(document, as_attachment=not is_public),
        "cache-control": PUBLIC if is_public else PRIVATE,
    }
    etag = document["etag"] if is_noted else found.info.etag
    return await serve_object(request, found, etag, headers)


async def known_file(core: Core, key: str) -> tuple[Environment, dict[str, Any]]:
    """The registered file of the key, or the upload on its way. Raises FileNotFound, also where
    the environment is gone; EnvironmentNotActive."""
    environment_id = await core.places.environment_of(key)
    environment = await core.environments.get(environment_id) if environment_id else None
    if environment is None:
        raise FileNotFound
    check_environment(environment)
    uploads = environment.services.files.uploads
    document = await uploads.of_key(key, FILES) or await uploads.of_key(key)
    if document is None:
        raise FileNotFound
    return environment, document


def _is_signed(core: Core, environment: Environment, document: dict[str, Any], query: str) -> bool:
    """Whether the address was given out to download this file, and has not ended. Raises
    FileAccessDenied with a sentence for those it was given to."""
    signature = read_signature(query)
    if signature is None or signature.upload_id:
        return False
    permit = environment.services.files.download_permit(document)
    if not core.file_signer.accepts(permit, signature):
        raise FileAccessDenied("Request has expired")
    return True


def preflight(request: Request, methods: str) -> Response:
    """To browsers that ask before they send: any origin and header, these methods."""
    asked = request.headers.get("access-control-request-headers", "")
    headers = {
        **CORS,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": asked if _HEADER_NAMES.fullmatch(asked) else "*",
        "access-control-max-age": "7200",
        "vary": "Access-Control-Request-Headers",
    }
    return Response(status_code=204, headers=headers)


routes = [Route("/raw/{key:path}", serve_raw, methods=["GET", "PUT", "OPTIONS"])]
