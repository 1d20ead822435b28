"""The providers of an environment and how they are configured (10 §13, 51 §3.9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from bkend.auth.social.errors import UnsupportedProvider

Kind: TypeAlias = Literal["openid", "github"]

NAME = re.compile(r"[a-z][a-z0-9-]{1,31}\Z")
BUILT_IN = ("google", "github")
_FIXED_WORDS = frozenset(
    {"accounts", "authorize", "callback", "credentials", "email", "invitations", "magiclink"}
    | {"me", "mfa", "oauth", "password", "providers", "refresh", "sessions", "settings", "signin"}
    | {"signout", "signup", "switch-organization", "users", "withdraw"}
)
_OPENID_SCOPES = ("openid", "email", "profile")
_GITHUB_SCOPES = ("user:email",)
GOOGLE_ISSUER = "https://accounts.google.com"
GITHUB_URL = "https://github.com"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST_URL = 2048
_LONGEST_ID = 512
_LONGEST_SECRET = 4096
_MOST = 20
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}\Z")


class ProviderProblem(ValueError):
    """A field of a configuration is not allowed; the message says which and why."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field} {sentence}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as it is configured."""

    name: str
    enabled: bool = False
    client_id: str | None = None
    sealed_secret: str | None = None
    redirect_uri: str | None = None
    """None is this server's own callback address."""
    scopes: tuple[str, ...] = ()
    additional_client_ids: tuple[str, ...] = ()
    issuer: str | None = None
    """The address of the OpenID Connect provider, or of the GitHub server."""

    @property
    def kind(self) -> Kind:
        """How it is spoken to."""
        return "github" if self.name == "github" else "openid"

    @property
    def server(self) -> str:
        """The issuer, without a trailing slash; `""` if there is none yet."""
        known = {"google": GOOGLE_ISSUER, "github": GITHUB_URL}.get(self.name, "")
        return (self.issuer or known).rstrip("/")

    @property
    def client_ids(self) -> frozenset[str]:
        """Whom ID tokens may be made for."""
        return frozenset({self.client_id or "", *self.additional_client_ids} - {""})

    @property
    def is_complete(self) -> bool:
        """Whether it could be asked at all."""
        return bool(self.client_id and self.sealed_secret and self.server)

    @property
    def document(self) -> dict[str, Any]:
        """What is stored."""
        return {
            "enabled": self.enabled,
            "clientId": self.client_id,
            "clientSecret": self.sealed_secret,
            "redirectUri": self.redirect_uri,
            "scopes": list(self.scopes),
            "additionalClientIds": list(self.additional_client_ids),
            "issuer": self.issuer,
        }

    @property
    def shape(self) -> dict[str, Any]:
        """What may be shown of it: everything but the secret."""
        return {
            "provider": self.name,
            "type": self.kind,
            "enabled": self.enabled,
            "clientId": self.client_id,
            "hasClientSecret": self.sealed_secret is not None,
            "redirectUri": self.redirect_uri,
            "scopes": list(self.scopes),
            "additionalClientIds": list(self.additional_client_ids),
            "baseUrl" if self.kind == "github" else "issuer": self.server or None,
        }


def require_name(name: str) -> None:
    """Raises UnsupportedProvider for what cannot be the name of a provider."""
    if not NAME.match(name) or name in _FIXED_WORDS:
        raise UnsupportedProvider


def unconfigured(name: str) -> Provider:
    """A provider before anything was set."""
    return Provider(name, scopes=_GITHUB_SCOPES if name == "github" else _OPENID_SCOPES)


def stored_provider(document: Mapping[str, Any]) -> Provider:
    """The provider of a stored document."""
    return Provider(
        name=document["id"],
        enabled=document["enabled"],
        client_id=document.get("clientId"),
        sealed_secret=document.get("clientSecret"),
        redirect_uri=document.get("redirectUri"),
        scopes=tuple(document["scopes"]),
        additional_client_ids=tuple(document.get("additionalClientIds") or ()),
        issuer=document.get("issuer"),
    )


def changed_provider(
    held: Provider, changes: Mapping[str, Any], seal: Callable[[str], str]
) -> Provider:
    """The provider with the fields that are given; null brings a default back, and what is not
    given stays. Raises ProviderProblem."""
    default = unconfigured(held.name)
    server = "baseUrl" if held.kind == "github" else "issuer"
    fields: dict[str, Callable[[Any], dict[str, Any]]] = {
        "enabled": lambda v: {"enabled": True if v is None else _switch(v)},
        "clientId": lambda v: {"client_id": _text("clientId", v, _LONGEST_ID)},
        "clientSecret": lambda v: _secret(v, seal),
        "redirectUri": lambda v: {"redirect_uri": _redirect(v)},
        "scopes": lambda v: {"scopes": default.scopes if v is None else _scopes(v, held.kind)},
        "additionalClientIds": lambda v: {"additional_client_ids": _client_ids(v)},
        server: lambda v: {"issuer": _server(server, v)},
    }
    ignored = {"provider", "type", "hasClientSecret", "callbackUrl"}  # as reads show them
    found = held
    for field, value in changes.items():
        if field in fields:
            found = replace(found, **fields[field](value))
        elif field not in ignored:
            raise ProviderProblem(field, "is not a field of this provider")
    return found


def is_trustworthy(url: str, *, below: str | None = None) -> bool:
    """Whether secrets may be sent there: https, or http on this machine. With `below`, http
    only if that address is http on this machine as well."""
    if len(url) > _LONGEST_URL or any(c.isspace() or not c.isprintable() for c in url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or "\\" in url:
        return False
    if parts.scheme == "https":
        return True
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return local and (below is None or below.startswith("http:"))


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ProviderProblem("enabled", "is true or false")
    return value


def _text(field: str, value: Any, longest: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value.strip()) <= longest:
        raise ProviderProblem(field, f"is a text of 1 to {longest} characters")
    text = value.strip()
    if not text.isprintable() or not text.isascii():
        raise ProviderProblem(field, "holds printable ASCII characters only")
    return text


def _secret(value: Any, seal: Callable[[str], str]) -> dict[str, Any]:
    text = _text("clientSecret", value, _LONGEST_SECRET)
    return {"sealed_secret": seal(text)} if text is not None else {}


def _redirect(value: Any) -> str | None:
    """Where the provider sends the browser: a web address, or an app's own scheme."""
    text = _text("redirectUri", value, _LONGEST_URL)
    if text is None:
        return None
    parts = urlsplit(text)
    is_web = parts.scheme in ("http", "https")
    if not parts.scheme or parts.fragment or " " in text or (is_web and not parts.hostname):
        raise ProviderProblem("redirectUri", "is an absolute address without a fragment")
    return text


def _texts(field: str, value: Any, fits: Callable[[str], bool]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST:
        raise ProviderProblem(field, f"is a list of at most {_MOST} texts")
    if not all(isinstance(text, str) and fits(text) for text in value):
        raise ProviderProblem(field, "holds a value that is not allowed")
    return tuple(dict.fromkeys(value))


def _scopes(value: Any, kind: Kind) -> tuple[str, ...]:
    scopes = _texts("scopes", value, lambda text: bool(_SCOPE.match(text)))
    if kind == "openid" and "openid" not in scopes:
        raise ProviderProblem("scopes", "must include openid")
    return scopes


def _client_ids(value: Any) -> tuple[str, ...]:
    def fits(text: str) -> bool:
        return 0 < len(text) <= _LONGEST_ID and text.isascii() and text.isprintable()

    return _texts("additionalClientIds", value, fits)


def _server(field: str, value: Any) -> str | None:
    text = _text(field, value, _LONGEST_URL)
    if text is None:
        return None
    parts = urlsplit(text)
    if not is_trustworthy(text) or parts.query or parts.fragment:
        raise ProviderProblem(field, "is an https address, or http on this machine")
    return text
