"""The session cookie of the console: read, set, forgotten, and kept from other sites (51 §7)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from bkend.core import Core
from bkend.http.base import base_url
from bkend.http.dependencies import exchange_of
from bkend.tenants.errors import CsrfFailed
from bkend.tenants.service import SignedIn
from bkend.tenants.sessions import LIFETIME_MS, Session

COOKIE = "bkend_session"
CSRF_HEADER = "X-Bkend-CSRF"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN = frozenset({"same-origin", "none"})
_FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_OWN_PATH = re.compile(
    r"/console/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*/?)?(?:\?code=[A-Za-z-]{0,12})?"
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def cookie_session(request: Request) -> SignedIn | None:
    """Who the request's cookie signs in; None without a live session.

    Raises CsrfFailed for a change that does not carry the session's token, or comes from
    another site.
    """
    found = await visitor(request)
    if found is not None and request.method not in _READING:
        require_own_page(request)
        if not found.session.accepts(exchange_of(request).headers.get(CSRF_HEADER.lower())):
            raise CsrfFailed
    return found


async def visitor(request: Request) -> SignedIn | None:
    """Who the request's cookie signs in, whatever the request does."""
    cookie = request.cookies.get(COOKIE)
    core: Core = request.app.state.core
    return await core.tenants.signed_in(cookie) if cookie else None


def require_own_page(request: Request) -> None:
    """Raises CsrfFailed for what a page of another site sent; programs say nothing of pages."""
    headers = exchange_of(request).headers
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site not in _OWN:
            raise CsrfFailed("This came from a page of another site")
        return
    origin = headers.get("origin")
    if origin is None:
        return
    own = {(headers.get("host") or "").lower(), urlsplit(base_url(request)).netloc.lower()}
    if _host_of(origin) not in own:
        raise CsrfFailed("This came from a page of another site")


def with_session(response: Response, request: Request, session: Session) -> Response:
    """The response, signing the browser in; it also names the token for changes."""
    response.set_cookie(
        COOKIE,
        session.cookie,
        max_age=LIFETIME_MS // 1000,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    response.headers[CSRF_HEADER] = session.csrf
    return response


def without_session(response: Response, request: Request) -> Response:
    """The response, signing the browser out."""
    response.delete_cookie(
        COOKIE, path="/", secure=is_secure(request), httponly=True, samesite="lax"
    )
    return response


def is_on_this_machine(request: Request) -> bool:
    """Whether the caller is certainly a program or browser of this machine, with no proxy on the
    way: a proxy makes everybody look local."""
    core: Core = request.app.state.core
    exchange = exchange_of(request)
    settings = core.settings
    if settings.public_url or settings.trusted_proxies or not exchange.is_local:
        return False
    if request.scope.get("http_version") == "1.0":  # as proxies speak by default
        return False
    if any(name in exchange.headers for name in _FORWARDING):
        return False
    try:
        host = urlsplit(f"//{exchange.headers.get('host') or ''}").hostname
    except ValueError:
        return False
    return host in _LOOPBACK


def is_secure(request: Request) -> bool:
    """Whether the browser came by https, as far as anybody says so: at worst a liar's own cookie
    is not sent back."""
    told = exchange_of(request).headers.get("x-forwarded-proto") or ""
    return base_url(request).startswith("https:") or told.strip().lower() == "https"


def own_path(wanted: str) -> str:
    """The path when it is one of our pages, else the console's first."""
    return wanted if _OWN_PATH.fullmatch(wanted) else "/console/"


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
