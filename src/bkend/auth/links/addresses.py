"""Addresses that mails lead to."""

from __future__ import annotations

from urllib.parse import unquote_plus, urlencode

from bkend.settings import Settings

CONFIRM_PATH = "/v1/auth/signup/email/confirm"
RESET_PAGE = "/auth/reset-password"
INVITATION_PAGE = "/auth/invitation"


def server_address(settings: Settings) -> str:
    """`https://host[:port]` of this server for links in mails, without a trailing slash.

    It is never taken from a request: whoever asks for a mail could choose the Host header, and
    the link would bring the token to a host of theirs.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{settings.port}"


def with_query(url: str, **values: str) -> str:
    """The address with the values appended; its query stays, but for fields of these names,
    and its fragment stays last."""
    rest, mark, fragment = url.partition("#")
    path, _, query = rest.partition("?")
    kept = [
        piece
        for piece in query.split("&")
        if piece and unquote_plus(piece.partition("=")[0]) not in values
    ]
    return f"{path}?{'&'.join([*kept, urlencode(values)])}{mark}{fragment}"
