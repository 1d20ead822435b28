"""The server's own address as clients see it (00 §2): configured, else the request's host."""

from __future__ import annotations

import re

from starlette.requests import Request

_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")


def raw_url(request: Request) -> str:
    """Where bytes of files are served, without a trailing slash (30)."""
    configured: str | None = request.app.state.core.settings.raw_url
    return configured.rstrip("/") if configured else f"{base_url(request)}/raw"


def img_url(request: Request) -> str:
    """Where images are served, without a trailing slash (30 §8)."""
    configured: str | None = request.app.state.core.settings.img_url
    return configured or f"{base_url(request)}/img"


def base_url(request: Request) -> str:
    """`https://host[:port]` without a trailing slash. A malformed Host header is not repeated."""
    configured: str | None = request.app.state.core.settings.public_url
    if configured:
        return configured.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.match(host):
        settings = request.app.state.core.settings
        host = f"{settings.host}:{settings.port}"
    return f"{request.scope['scheme']}://{host}"
