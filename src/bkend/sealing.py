"""Small secrets at rest, encrypted with AES-256-GCM (51 §10)."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bkend.secret import Ring, Rings, Secret
from bkend.store import Operation

_NONCE = 12
_VERSION = "v1."


class Unsealable(Exception):
    """The value was sealed with another master secret, for another purpose, or is damaged."""


@dataclass(frozen=True, slots=True)
class SealedField:
    """Where sealed values are kept, so that a rotation finds them: a top-level text field."""

    collection: str
    field: str
    purpose: Callable[[dict[str, Any]], str]
    """What the value of a document was sealed for."""
    forget: Callable[[dict[str, Any]], Sequence[Operation]]
    """What to do about a document whose value nobody can open any more."""


class Sealer:
    """Encrypts short texts under a key derived from the master secret."""

    def __init__(self, secrets: Rings) -> None:
        self._secrets = secrets

    def seal(self, purpose: str, text: str) -> str:
        """The text encrypted, as printable ASCII. It opens only for the same purpose, which
        names what the value is and whose: `totp:<user id>`."""
        nonce = os.urandom(_NONCE)
        cipher = _cipher(self._secrets.ring().current)
        return _VERSION + _text(nonce + cipher.encrypt(nonce, text.encode(), purpose.encode()))

    def unseal(self, purpose: str, sealed: str) -> str:
        """The text again, sealed with the secret in force or one before it; raises Unsealable."""
        text, _ = self._opened(self._secrets.ring(), purpose, sealed)
        return text

    def resealed(self, purpose: str, sealed: str) -> str | None:
        """The value sealed with the secret in force; None if it is already. Raises Unsealable."""
        ring = self._secrets.ring()
        text, secret = self._opened(ring, purpose, sealed)
        return None if secret is ring.current else self.seal(purpose, text)

    def _opened(self, ring: Ring, purpose: str, sealed: str) -> tuple[str, Secret]:
        if not sealed.startswith(_VERSION):
            raise Unsealable
        try:
            raw = base64.urlsafe_b64decode(sealed[len(_VERSION) :])
        except (binascii.Error, ValueError):
            raise Unsealable from None
        for secret in ring.all:
            try:
                opened = _cipher(secret).decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode())
            except (InvalidTag, ValueError):
                continue
            return opened.decode(), secret
        raise Unsealable


def _cipher(secret: Secret) -> AESGCM:
    return AESGCM(secret.key("sealing"))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
