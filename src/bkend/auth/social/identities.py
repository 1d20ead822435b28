"""Who a provider says somebody is, brought into the form users are stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.auth.social.errors import OAuthCallbackFailed

_LONGEST_NAME = 100
_LONGEST_SUBJECT = 255
_LONGEST_URL = 2048


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """Somebody at a provider. `subject` never changes there; the rest may."""

    provider: str
    issuer: str
    subject: str
    email: str
    name: str
    image: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a sign-in brings back from the provider: a code, or an ID token."""

    code: str | None = None
    redirect_uri: str | None = None
    id_token: str | None = None
    verifier: str | None = None
    """Of the PKCE challenge, when this server began the sign-in."""
    nonce: str | None = None
    """What the ID token must repeat, when this server began the sign-in."""


def provider_identity(
    *, provider: str, issuer: str, subject: str, email: Any, name: Any, image: Any
) -> ProviderIdentity:
    """The identity, for a verified address; raises OAuthCallbackFailed for what cannot be one."""
    if not is_subject(subject):
        raise OAuthCallbackFailed("The provider did not say who this is")
    if not isinstance(email, str):
        raise no_verified_address()
    try:
        address = normalise_email(email)
    except InvalidEmail:
        raise no_verified_address() from None
    return ProviderIdentity(
        provider=provider,
        issuer=issuer,
        subject=subject,
        email=address,
        name=_name(name) or address.partition("@")[0],
        image=_image(image),
    )


def is_subject(text: str) -> bool:
    """Whether a provider can have given this as the id of somebody."""
    return 0 < len(text) <= _LONGEST_SUBJECT and text.isascii() and text.isprintable()


def no_verified_address() -> OAuthCallbackFailed:
    """The refusal of an identity for whose address the provider does not vouch."""
    return OAuthCallbackFailed("The provider gives no verified e-mail address of this account")


def _name(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in value)
    return " ".join(printable.split())[:_LONGEST_NAME].strip()


def _image(value: Any) -> str | None:
    """An https address of a picture; anything else might do something when it is shown."""
    if not isinstance(value, str) or len(value) > _LONGEST_URL:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    clean = not any(c.isspace() or not c.isprintable() for c in value)
    return value if clean and parts.scheme == "https" and parts.hostname else None
