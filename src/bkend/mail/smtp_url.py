"""`BKEND_SMTP_URL`: where mail is handed over, and how (00 §7)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

Tls: TypeAlias = Literal["implicit", "required", "offered", "off"]

Choice = TypeVar("Choice")

_SHAPE = "write smtp://USER:PASSWORD@HOST:587, or smtps://USER:PASSWORD@HOST:465"
_PORTS = {"smtp": 587, "smtps": 465}
_TLS: dict[str, Tls] = {"required": "required", "auto": "offered", "off": "off"}
_LONGEST_TIMEOUT = 120


@dataclass(frozen=True, slots=True)
class SmtpAddress:
    """A mail server. `tls`: from the start, by STARTTLS (or fail), by STARTTLS if offered, none.

    `timeout` is seconds, for each step; `ca` a file of certificates to trust besides the
    system's.
    """

    host: str
    port: int
    tls: Tls
    username: str | None = None
    password: str | None = None
    verify: bool = True
    ca: str | None = None
    timeout: int = 20


def parse_smtp_url(url: str) -> SmtpAddress:
    """The mail server of `smtp[s]://[USER:PASSWORD@]HOST[:PORT][?tls=…&verify=…&ca=…&timeout=…]`.

    Credentials are never sent in the clear: with them STARTTLS is required, unless `tls=off` says
    otherwise. Raises ValueError with a sentence that does not repeat the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{_SHAPE}; percent-encode special characters") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise ValueError(f"{_SHAPE}; percent-encode special characters of the password")
    if port == 0 or any(c.isspace() for c in url):
        raise ValueError(_SHAPE)
    username, password = _credentials(parts.username, parts.password)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls: Tls = "required" if username is not None else "offered"
    if parts.scheme == "smtps":
        tls = "implicit"
        if "tls" in options:
            raise ValueError("tls is for smtp:// only; smtps:// uses TLS from the start")
    elif "tls" in options:
        tls = _choice("tls", options["tls"], _TLS)
        if username is not None and tls == "offered":
            tls = "required"
    ca = options.get("ca")
    if ca is not None and not os.path.isfile(ca):
        raise ValueError(f"ca: there is no file {ca}")
    if unknown := options.keys() - {"tls", "verify", "ca", "timeout"}:
        raise ValueError(
            f"{sorted(unknown)[0]!r} is not an option; they are tls, verify, ca and timeout"
        )
    return SmtpAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=tls,
        username=username,
        password=password,
        verify=_choice("verify", options.get("verify", "on"), {"on": True, "off": False}),
        ca=ca,
        timeout=_seconds(options.get("timeout", "20")),
    )


def mask_smtp_url(url: str, mask: str) -> str:
    """The address with its password replaced, also when it is not well formed."""
    scheme, slashes, rest = url.partition("//")
    account, at, place = rest.rpartition("@")
    if not at:
        return url
    user, colon, _ = account.partition(":")
    return f"{scheme}{slashes}{user}{colon}{mask if colon else ''}@{place}"


def _credentials(username: str | None, password: str | None) -> tuple[str | None, str | None]:
    if username is None:
        return None, None
    if not username or not password:
        raise ValueError("give both the user and the password, USER:PASSWORD@, or neither")
    return unquote(username), unquote(password)


def _choice(name: str, value: str, choices: dict[str, Choice]) -> Choice:
    if value not in choices:
        raise ValueError(f"{name} is {', '.join(choices)}")
    return choices[value]


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LONGEST_TIMEOUT:
        raise ValueError(f"timeout is a number of seconds from 1 to {_LONGEST_TIMEOUT}")
    return int(text)
