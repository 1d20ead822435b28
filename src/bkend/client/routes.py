"""`/bkend.js` and its type declarations, with this server's own address filled in (00 §2)."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bkend.http.base import base_url, img_url

_BASE, _IMAGES = "__BKEND_BASE_URL__", "__BKEND_IMG_URL__"
_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "public, max-age=300",
    "X-Content-Type-Options": "nosniff",
}


@lru_cache(maxsize=64)
def _source(name: str, base: str, images: str) -> str:
    text = files("bkend.client").joinpath(name).read_text(encoding="utf-8")
    return text.replace(_BASE, base).replace(_IMAGES, images)


async def _module(request: Request) -> Response:
    source = _source("bkend.js", base_url(request), img_url(request))
    headers = {**_HEADERS, "Vary": "Host"}
    return Response(source, headers=headers, media_type="text/javascript; charset=utf-8")


async def _declarations(request: Request) -> Response:
    source = _source("bkend.d.ts", "", "")
    return Response(source, headers=_HEADERS, media_type="text/plain; charset=utf-8")


routes = [Route("/bkend.js", _module), Route("/bkend.d.ts", _declarations)]
