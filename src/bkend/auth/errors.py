"""Refusals of authentication, one class per code (10 §15), and the body check's converter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bkend.errors import ApiError, Detail


class InvalidRequest(ApiError):
    """A field is missing or of the wrong type; `details` names it."""

    status, code = 400, "auth/invalid-request"
    default_message = "The request is malformed"


class InvalidEmail(ApiError):
    """Not an e-mail address, or longer than 254 characters."""

    status, code = 400, "auth/invalid-email"
    default_message = "This is not a valid e-mail address"


class InvalidPasswordFormat(ApiError):
    """The password breaks the policy (10 §4); `details` names each rule."""

    status, code = 400, "auth/invalid-password-format"
    default_message = "The password does not meet the rules"


class WeakPassword(ApiError):
    """A password that is known from breaches (10 §4, `breachCheck`)."""

    status, code = 400, "auth/weak-password"
    default_message = "This password is among the most common ones; choose another"


class SameAsPreviousPassword(ApiError):
    """The new password is the old one."""

    status, code = 400, "auth/same-as-previous-password"
    default_message = "The new password must differ from the current one"


class MagicLinkDisabled(ApiError):
    """Sign-in by magic link is not available."""

    status, code = 400, "auth/magiclink-disabled"
    default_message = "Magic links are not available; use a password"


class UnsupportedProvider(ApiError):
    """A way to sign in that does not exist here, or that the environment has switched off."""

    status, code = 400, "auth/unsupported-provider"
    default_message = "This way to sign in is not available"


class InvalidCredentials(ApiError):
    """Unknown address, no password, or a wrong one: never said which."""

    status, code = 401, "auth/invalid-credentials"
    default_message = "The e-mail address or the password is wrong"


class InvalidPassword(ApiError):
    """The current password, asked for again, is wrong."""

    status, code = 401, "auth/invalid-password"
    default_message = "The current password is wrong"


class InvalidRefreshToken(ApiError):
    """A refresh token that is malformed, forged, used up, or of an ended session."""

    status, code = 401, "auth/invalid-refresh-token"
    default_message = "The refresh token is not valid; sign in again"


class SessionExpired(ApiError):
    """The session's lifetime has passed."""

    status, code = 401, "auth/session-expired"
    default_message = "The session has expired; sign in again"


class AccountBanned(ApiError):
    """The user is banned; said only after the right password."""

    status, code, default_message = 403, "auth/account-banned", "This account is banned"


class EmailNotVerified(ApiError):
    """The environment asks for a verified address."""

    status, code = 403, "auth/email-not-verified"
    default_message = "Verify your e-mail address first"


class PasswordExpired(ApiError):
    """The password is older than the policy allows."""

    status, code = 403, "auth/password-expired"
    default_message = "The password has expired; reset it"


class SignupDisabled(ApiError):
    """The environment takes no new users."""

    status, code = 403, "auth/signup-disabled"
    default_message = "Sign-up is closed"


class SessionNotFound(ApiError):
    """No live session of the caller has this id."""

    status, code, default_message = 404, "auth/session-not-found", "There is no such session"


class UserNotFound(ApiError):
    """The user behind a live session is gone."""

    status, code, default_message = 404, "auth/user-not-found", "The user does not exist any more"


class EmailAlreadyExists(ApiError):
    """The address is taken."""

    status, code = 409, "auth/email-already-exists"
    default_message = "A user with this e-mail address already exists"


class BucketFull(ApiError):
    """Base of the security limits of 10 §5."""

    status = 429

    def __init__(self, retry_after: int, limit: int) -> None:
        super().__init__(
            headers={
                "Retry-After": str(retry_after),
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": "0",
            }
        )


class TooManyRequests(BucketFull):
    """Too many sign-ups of one address, or refreshes of one session."""

    code = "auth/too-many-requests"
    default_message = "Too many attempts (429); wait a moment and try again"


class TooManyLoginAttempts(BucketFull):
    """Too many wrong passwords for one address."""

    code = "auth/too-many-login-attempts"
    default_message = "Too many failed sign-ins (429); wait a while and try again"


BY_PASSWORD, BY_LINK = "<by password>", "<by link>"
"""How the two bodies of sign-up and sign-in are told apart; no part of any field's name."""


def invalid_request(errors: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """The refusal for Pydantic's list of errors. What was sent is never repeated."""
    details = [_detail(error) for error in errors]
    message = details[0]["message"] if details else None
    return InvalidRequest(message, details=details)


_SENTENCES = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode text",
    "string_too_short": "must not be empty",
    "greater_than_equal": "must be at least 1",
}


def _detail(error: Mapping[str, Any]) -> Detail:
    places = [str(place) for place in error["loc"][1:] if not isinstance(place, int)]
    places = [place for place in places if place not in (BY_PASSWORD, BY_LINK)]
    if error["loc"][0] == "body" and not places:
        return {"field": "body", "message": "The body must be a JSON object"}
    field = ".".join(places) or str(error["loc"][0])
    sentence = _SENTENCES.get(error["type"])
    if sentence is None and error["type"] == "string_too_long":
        sentence = f"must have at most {error['ctx']['max_length']} characters"
    if sentence is None and error["type"] == "literal_error":
        sentence = f"must be {error['ctx']['expected']}"
    return {"field": field, "message": f"{field} {sentence or 'is not valid'}"}
