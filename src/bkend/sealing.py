"""Small secrets at rest, encrypted with AES-256-GCM (51 §10)."""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bkend.secret import Secret

_NONCE = 12
_VERSION = "v1."


class Unsealable(Exception):
    """The value was sealed with another master secret, for another purpose, or is damaged."""


class Sealer:
    """Encrypts short texts under a key derived from the master secret."""

    def __init__(self, secret: Secret) -> None:
        self._cipher = AESGCM(secret.key("sealing"))

    def seal(self, purpose: str, text: str) -> str:
        """The text encrypted, as printable ASCII. It opens only for the same purpose, which
        names what the value is and whose: `totp:<user id>`."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, text.encode(), purpose.encode())
        return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()

    def unseal(self, purpose: str, sealed: str) -> str:
        """The text again; raises Unsealable."""
        if not sealed.startswith(_VERSION):
            raise Unsealable
        try:
            raw = base64.urlsafe_b64decode(sealed[len(_VERSION) :])
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode()).decode()
        except (binascii.Error, InvalidTag, ValueError):
            raise Unsealable from None
