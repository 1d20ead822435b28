"""One-time passwords of RFC 6238 and backup codes (10 §10): SHA-1, 6 digits, 30 s, ±1 step."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string

STEP_MS = 30_000
BACKUP_CODES = 10

_DRIFT = 1
_ALPHABET = string.ascii_lowercase + string.digits
_LENGTH = 8
_TOTP = re.compile("[0-9]{6}")
_BACKUP = re.compile("[a-z0-9]{8}")


def new_secret() -> str:
    """160 random bits in base32."""
    import pyotp

    return pyotp.random_base32()


def new_backup_codes() -> list[str]:
    """Ten different codes."""
    codes: dict[str, None] = {}
    while len(codes) < BACKUP_CODES:
        codes["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))] = None
    return list(codes)


def is_totp(code: str) -> bool:
    """Whether the text has the shape of a one-time password."""
    return _TOTP.fullmatch(code) is not None


def is_backup(code: str) -> bool:
    """Whether the text has the shape of a backup code."""
    return _BACKUP.fullmatch(code) is not None


def matching_step(secret: str, code: str, now: int, after: int = -1) -> int | None:
    """The 30-second step later than `after` whose password this is; `now` in ms."""
    import pyotp

    totp = pyotp.TOTP(secret)
    current = now // STEP_MS
    found = None
    for step in range(current - _DRIFT, current + _DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()) and step > after:
            found = step if found is None else found
    return found


def digest(secret: str, code: str) -> str:
    """What is kept of a backup code. It is keyed with the user's sealed secret: eight
    characters alone would be found by trying."""
    return hmac.new(secret.encode(), code.encode(), hashlib.sha256).hexdigest()


def address(secret: str, email: str, issuer: str) -> str:
    """The `otpauth:` address that authenticator apps read."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def picture(address: str) -> str:
    """The address as a QR code: an `<svg>` element to put in a page."""
    import segno

    return segno.make(address, error="m").svg_inline(scale=4, dark="#000", light="#fff")
