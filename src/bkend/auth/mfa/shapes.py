"""What the endpoints of the second factor answer with (10 §10)."""

from __future__ import annotations

from typing_extensions import TypedDict


class Setup(TypedDict):
    """A factor to be confirmed; shown only now. `qrCodeUrl` is an `otpauth:` address, `qrCodeSvg`
    the same as a picture."""

    secret: str
    qrCodeUrl: str
    qrCodeSvg: str
    backupCodes: list[str]


class BackupCodes(TypedDict):
    """The codes that stand in for the authenticator app, each once."""

    backupCodes: list[str]


class Nothing(TypedDict):
    """An empty object."""
