"""Refusals of the second factor (10 §10, §15)."""

from __future__ import annotations

from bkend.errors import ApiError


class MfaRequired(ApiError):
    """The password is right and a code is needed as well; not counted as a failure."""

    status, code = 403, "auth/mfa-required"
    default_message = "Enter the code of your authenticator app"


class InvalidMfaCode(ApiError):
    """A code that is wrong, of another time, or used already."""

    status, code = 401, "auth/invalid-mfa-code"
    default_message = "The code is wrong or was used already"


class MfaBackupCodesExhausted(ApiError):
    """A backup code where none is left."""

    status, code = 400, "auth/mfa-backup-codes-exhausted"
    default_message = "No backup code is left; use your authenticator app"


class MfaAlreadyEnabled(ApiError):
    """The second factor is on."""

    status, code = 409, "auth/mfa-already-enabled"
    default_message = "The second factor is on already; disable it first"


class MfaNotEnabled(ApiError):
    """The second factor is off, or was not begun."""

    status, code = 400, "auth/mfa-not-enabled"
    default_message = "The second factor is not on"


class MfaSetupExpired(ApiError):
    """Nobody confirmed the setup in time."""

    status, code = 400, "auth/mfa-setup-expired"
    default_message = "The setup was not confirmed in time; enable it again"


class MfaNotAvailable(ApiError):
    """The environment's setting `mfaAvailable` is off."""

    status, code = 400, "auth/mfa-not-available"
    default_message = "The second factor is not available here"
