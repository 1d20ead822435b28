"""`/img/{instructions}/{key}`: public pictures, made smaller and converted (30 §8).

Neither key nor token is looked at, as at `/raw`; a signature neither: only public files are shown.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bkend.core import Core
from bkend.errors import ApiError
from bkend.files.errors import FileAccessDenied, FileNotFound
from bkend.files.raw import known_file, preflight, serve_file
from bkend.files.serving import CORS, Shown, send_object, send_unchanged
from bkend.http.answered import Answered
from bkend.http.exchange import Exchange
from bkend.images.errors import ImagesBusy
from bkend.images.formats import TYPES, is_svg
from bkend.images.instructions import Instructions, parse_image_path
from bkend.images.kept import ROUTE, negotiated
from bkend.images.service import SourceChanged, Wish
from bkend.objects.interface import ObjectInfo
from bkend.users.avatar_keys import AREA, parse_key, type_of_name

_ATTEMPTS = 3


async def serve_image(request: Request) -> Response:
    """GET, HEAD and preflight of one image; errors carry the CORS headers too."""
    core: Core = request.app.state.core
    exchange: Exchange = request.scope["bkend.exchange"]
    try:
        if request.method == "OPTIONS":
            await preflight(exchange, "GET, HEAD, OPTIONS")
        else:
            asked, key = parse_image_path(request.path_params["path"])
            await _get(core, exchange, asked, key)
    except ApiError as error:
        error.headers.update(CORS)
        raise
    return Answered()


async def _get(core: Core, exchange: Exchange, asked: Instructions, key: str) -> None:
    content_type = await _type_of_public(core, key)
    if is_svg(content_type):
        await serve_file(core, exchange, key)
        return
    automatic, headers = negotiated(exchange, asked, content_type)
    look = partial(_look, core, key)
    source = await _stored(core, key)
    for _ in range(_ATTEMPTS):
        wish = Wish(source, asked, automatic)
        if await send_unchanged(exchange, source, wish.tag, headers):
            return
        try:
            image = await core.images.open(wish, look)
        except SourceChanged:
            source = await look()
            continue
        described = [("content-type", TYPES[image.format]), *headers]
        await send_object(exchange, Shown(image, wish.tag, described))
        return
    raise ImagesBusy("The picture is being replaced; try again")


async def _look(core: Core, key: str) -> ObjectInfo:
    """The object of a file that is still public. Raises as the two below."""
    await _type_of_public(core, key)
    return await _stored(core, key)


async def _type_of_public(core: Core, key: str) -> str:
    """The content type of a file that everybody sees. Raises FileNotFound, FileAccessDenied,
    EnvironmentNotActive."""
    if key.startswith(f"{AREA}/"):
        avatar = parse_key(key)
        if avatar is None:
            raise FileNotFound
        return type_of_name(avatar.key) or ""
    _, document = await known_file(core, key)
    if document["visibility"] != "public":
        raise FileAccessDenied
    content_type: str = document["mimeType"]
    return content_type


async def _stored(core: Core, key: str) -> ObjectInfo:
    info = await core.objects.head(key)
    if info is None:
        raise FileNotFound
    return info


routes = [Route(ROUTE, serve_image, methods=["GET", "OPTIONS"])]
