"""Refusals that clients see: one class per code, turned into bodies in one place (00 §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NotRequired, TypedDict


class Detail(TypedDict):
    """One thing to point at: a field, the rule it breaks, a sentence."""

    field: str
    rule: NotRequired[str]
    message: str


class ApiError(Exception):
    """Base of every refusal. `message` is shown to clients and must hold nothing internal."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "common/internal-error"
    default_message: ClassVar[str] = "Something went wrong on the server"

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.details = list(details)
        self.headers = dict(headers or {})
        super().__init__(self.message)


class InternalError(ApiError):
    """An unexpected failure; what happened is in the log under the request id."""


class NotFound(ApiError):
    """No such path."""

    status, code, default_message = 404, "common/not-found", "There is nothing at this path"


class MethodNotAllowed(ApiError):
    """The path exists, the method does not; carries `Allow`."""

    status, code = 405, "common/method-not-allowed"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{method} is not allowed here; use {' or '.join(allowed)}",
            headers={"Allow": ", ".join(allowed)},
        )


class InvalidParameters(ApiError):
    """A parameter or body of a fixed endpoint is malformed."""

    status, code = 400, "common/invalid-parameters"
    default_message = "The request is malformed"


class AuthenticationRequired(ApiError):
    """The endpoint tells only those who have signed in (20 §4.6)."""

    status, code = 401, "common/authentication-required"
    default_message = "Sign in first: this needs a user token or a secret key"


class Forbidden(ApiError):
    """The role in the organization does not include this (51 §4)."""

    status, code = 403, "common/forbidden"

    def __init__(self, role: str, right: str) -> None:
        super().__init__(f"The role {role!r} does not include {right}")


class TokenScopeInsufficient(ApiError):
    """The management token's scopes do not include this (40 §5)."""

    status, code = 403, "common/scope-insufficient"

    def __init__(self, scope: str) -> None:
        super().__init__(f"The token's scopes do not include {scope}")


class ConfirmationRequired(ApiError):
    """What loses data needs `confirm` with the name of what is lost (51 §6)."""

    status, code = 422, "common/confirmation-required"

    def __init__(self, name: str) -> None:
        message = f"This is for good: send confirm with the value {name!r}"
        detail: Detail = {"field": "confirm", "rule": "confirm", "message": message}
        super().__init__(message, details=[detail])


class PayloadTooLarge(ApiError):
    """The body is over its limit (20 §10)."""

    status, code = 413, "common/payload-too-large"
    default_message = "The body is larger than 10 MiB"


class UriTooLong(ApiError):
    """The request target is over 64 KiB (20 §10)."""

    status, code = 414, "common/uri-too-long"
    default_message = "The address is longer than 64 KiB"


class Timeout(ApiError):
    """A query took longer than its limit (20 §10)."""

    status, code = 503, "common/timeout"
    default_message = "The query took too long; narrow it or add an index"


class Unavailable(ApiError):
    """The server cannot store or read right now."""

    status, code = 503, "common/unavailable"
    default_message = "The server cannot reach its storage right now; nothing was stored"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": "5"})


class Unauthorized(ApiError):
    """No API key, or no user token where one is needed (10 §1)."""

    status, code = 401, "auth/unauthorized"
    default_message = "Sign in first: this needs a user token"


class InvalidToken(ApiError):
    """A key or token that is malformed, forged, revoked or of another environment."""

    status, code, default_message = 401, "auth/invalid-token", "The token is not valid"


class TokenExpired(ApiError):
    """A key or token whose time has passed."""

    status, code, default_message = 401, "auth/token-expired", "The token has expired"


class TokenRevoked(ApiError):
    """An API key that was revoked."""

    status, code, default_message = 401, "auth/token-revoked", "This API key was revoked"


class MissingHeader(ApiError):
    """`X-API-Key` is missing under the data API (00 §4)."""

    status, code = 400, "data/invalid-header"
    default_message = "The X-API-Key header is required"


class ProjectAccessDenied(ApiError):
    """The token belongs to another project or environment."""

    status, code = 403, "data/project-access-denied"
    default_message = "The token belongs to another project or environment"


class RateLimited(ApiError):
    """Too many requests with this key from this address (00 §5)."""

    status, code = 429, "data/rate-limit-exceeded"

    def __init__(self, retry_after: int, limit: int) -> None:
        super().__init__(
            "Too many requests (429); wait a moment and try again",
            headers={
                "Retry-After": str(retry_after),
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": "0",
            },
        )


class CallLimitReached(ApiError):
    """The environment has had as many calls on this day as its project allows (51 §3.4)."""

    status, code = 429, "common/rate-limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "This environment has had all the calls that its project allows on one day",
            headers={"Retry-After": str(retry_after)},
        )


class AddressNotAllowed(ApiError):
    """The project lists the networks that may call, and this is none of them (51 §3.4)."""

    status, code = 403, "common/forbidden"
    default_message = "This network address may not call: the project lists those that may"


class EnvironmentNotFound(ApiError):
    """The key's environment no longer exists."""

    status, code = 404, "data/environment-not-found"
    default_message = "The environment of this key does not exist any more"


class EnvironmentNotActive(ApiError):
    """The key's environment is not active."""

    status, code = 403, "environment/not-active"
    default_message = "This environment is not active"


class ScopeInsufficient(ApiError):
    """The API key's scopes do not include the operation (21 §6.1)."""

    status, code = 403, "data/scope-insufficient"

    def __init__(self, scope: str) -> None:
        super().__init__(f"API Key scope does not include {scope[:128]}")
