"""What the accounts of tenants refuse (51 §6, §9)."""

from __future__ import annotations

from bkend.auth.errors import BucketFull
from bkend.errors import ApiError, Detail, InvalidParameters


class CsrfFailed(ApiError):
    """A change with the session cookie that another site may have sent."""

    status, code = 403, "common/csrf-failed"
    default_message = "Send the header X-Bkend-CSRF with the value that GET /session shows"


class SessionRequired(ApiError):
    """Only for who has signed in with the cookie: a token does not do."""

    status, code = 401, "auth/unauthorized"
    default_message = "Sign in first: this needs a session of the console, a token does not do"


class AccountDisabled(ApiError):
    """A server admin has disabled the account; said only after the right password."""

    status, code = 403, "account/disabled"
    default_message = "This account was disabled"


class OwnsOrganizations(ApiError):
    """An owner's account stays until their organizations are handed over or deleted."""

    status, code = 409, "account/owns-organizations"
    default_message = "Transfer or delete the organizations that you own first"


class LastServerAdmin(ApiError):
    """Somebody must be able to look after the server."""

    status, code = 409, "account/last-server-admin"
    default_message = "This is the only server admin; make another one first"


class SetupAlreadyDone(ApiError):
    """There is an account, so nobody is let in by setting up."""

    status, code = 409, "setup/already-done"
    default_message = "This server was set up already; sign in"


class BadSetupToken(ApiError):
    """Not the token that the server printed when it started."""

    status, code = 403, "setup/bad-token"
    default_message = "This is not the set-up link that the server printed at its last start"


class LinkInvalid(ApiError):
    """A mailed link that was used, replaced, or never was."""

    status, code = 400, "account/invalid-link"
    default_message = "The link is not valid any more; ask for a new one"


class LinkExpired(ApiError):
    """A mailed link whose time has passed."""

    status, code = 400, "account/link-expired"
    default_message = "The link has expired; ask for a new one"


class AlreadyVerified(ApiError):
    """There is nothing left to verify."""

    status, code = 409, "account/already-verified"
    default_message = "The e-mail address is verified already"


class TooManyAttempts(BucketFull):
    """Wrong passwords, or mails, beyond the limits of 51 §7."""

    code = "common/rate-limited"
    default_message = "Too many attempts (429); wait a while and try again"


class AuthorizationPending(ApiError):
    """Nobody has answered yet: ask again after the interval."""

    status, code = 400, "device/authorization-pending"
    default_message = "Waiting for the code to be approved in the browser"


class SlowDown(ApiError):
    """Asked again before the interval was over."""

    status, code = 400, "device/slow-down"
    default_message = "Ask less often: wait for the interval between two calls"


class DeviceDenied(ApiError):
    """Somebody said no in the browser."""

    status, code = 403, "device/denied"
    default_message = "The request was denied in the browser"


class DeviceExpired(ApiError):
    """The code is unknown, was used, or ran out."""

    status, code = 400, "device/expired"
    default_message = "The code has expired or was used; begin again"


def invalid(field: str, rule: str, sentence: str) -> InvalidParameters:
    """The refusal of one field: `field` and a sentence that follows its name."""
    message = f"{field} {sentence}"
    detail: Detail = {"field": field, "rule": rule, "message": message}
    return InvalidParameters(message, details=[detail])
