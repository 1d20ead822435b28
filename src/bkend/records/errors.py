"""Refusals of the data API (20 §1.4)."""

from __future__ import annotations

from collections.abc import Sequence

from bkend.errors import ApiError, Detail


class TableNotFound(ApiError):
    """No table of this name in the key's environment."""

    status, code = 404, "data/table-not-found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no table {name[:64]!r}")


class RecordNotFound(ApiError):
    """No record with this id."""

    status, code, default_message = 404, "data/not-found", "There is no record with this id"


class PermissionDenied(ApiError):
    """The caller's group may not do this, or not with this row."""

    status, code = 403, "data/permission-denied"

    def __init__(self, operation: str, details: Sequence[Detail] = ()) -> None:
        super().__init__(f"You do not have permission to {operation} here", details=details)


class SystemTableAccess(ApiError):
    """A system table through the data API (21 §10)."""

    status, code = 403, "data/system-table-access"
    default_message = "This is a system table; use the user or file API"
