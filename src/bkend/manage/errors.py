"""What the management of organizations, projects, environments and keys refuses (51 §9)."""

from __future__ import annotations

from bkend.errors import ApiError, Detail


class _Named(ApiError):
    """A refusal about one field of the body."""

    field = ""
    rule = ""

    def __init__(self, message: str) -> None:
        detail: Detail = {"field": self.field, "rule": self.rule, "message": message}
        super().__init__(message, details=[detail])


class OrganizationSlugTaken(_Named):
    """Another organization of the server has the slug."""

    status, code, field, rule = 409, "organization/slug-taken", "slug", "unique"


class OrganizationSuspended(ApiError):
    """A suspended organization can be looked at and not changed (51 §3.2)."""

    status, code = 403, "organization/suspended"
    default_message = "This organization is suspended: it can be looked at, not changed"


class ProjectSlugTaken(_Named):
    """Another project of the organization has the slug."""

    status, code, field, rule = 409, "project/slug-taken", "slug", "unique"


class ProjectLimitReached(ApiError):
    """The organization has as many projects as the server allows."""

    status, code = 409, "project/limit-reached"


class EnvironmentExists(_Named):
    """The project has an environment of this name."""

    status, code, field, rule = 409, "environment/already-exists", "environment", "unique"


class EnvironmentLimitReached(ApiError):
    """The project has as many environments as the server allows."""

    status, code = 409, "environment/limit-reached"


class LastEnvironment(ApiError):
    """A project keeps at least one environment."""

    status, code = 409, "environment/last-environment"
    default_message = "This is the project's only environment; delete the project instead"


class TokenInvalidFormat(_Named):
    """An adopted value is not `pk_` or `sk_` and 64 lower-case hex digits."""

    status, code, field, rule = 400, "token/invalid-format", "value", "format"


class TokenValueInUse(_Named):
    """An adopted value belongs to a key already, also to a revoked one."""

    status, code, field, rule = 409, "token/value-in-use", "value", "unique"


class InvalidOrigin(_Named):
    """No origin that could be allowed (51 §3.8)."""

    status, code, field, rule = 400, "cors/invalid-origin", "origin", "origin"


class OriginLimitReached(ApiError):
    """The list of origins is full."""

    status, code = 409, "cors/limit-reached"


class InvitationPending(_Named):
    """The address has a pending invitation to the organization."""

    status, code, field, rule = 409, "invitation/already-pending", "email", "unique"


class AlreadyMember(_Named):
    """The address belongs to a member."""

    status, code, field, rule = 409, "invitation/already-member", "email", "unique"


class OrganizationInvitationExpired(ApiError):
    """The invitation is older than seven days."""

    status, code = 410, "invitation/expired"
    default_message = "This invitation has expired; ask for a new one"


class InvitationForSomebodyElse(ApiError):
    """Whoever is signed in has another address than the invited one."""

    status, code = 403, "invitation/email-mismatch"
    default_message = "Sign in with the address that was invited"


class LastOwner(ApiError):
    """An organization has exactly one Owner; ownership goes by transfer only."""

    status, code = 409, "member/last-owner"
    default_message = "An organization has exactly one Owner: transfer ownership first"


class RoleNotAllowed(ApiError):
    """The caller's role may not give, change or remove this role (51 §4)."""

    status, code = 403, "member/role-not-allowed"


class IdempotencyMismatch(ApiError):
    """An `Idempotency-Key` came again with another body."""

    status, code = 409, "common/idempotency-mismatch"
    default_message = "This Idempotency-Key was used with another body; use a new key"


class StillRunning(ApiError):
    """The first request with this `Idempotency-Key` is not answered yet."""

    status, code = 409, "common/idempotency-in-progress"
    default_message = "The first request with this Idempotency-Key is still being worked on"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})
