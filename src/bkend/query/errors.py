"""Refused queries: 400 names the parameter, 403 the column (20 §4.4, §5)."""

from __future__ import annotations

from bkend.errors import ApiError, Detail

_SHOWN = 64


class InvalidData(ApiError):
    """A body, filter, sort or page parameter of the data API is not acceptable."""

    status, code = 400, "data/validation-error"

    def __init__(self, message: str, details: list[Detail] | None = None) -> None:
        super().__init__(message, details=details or [])


class RestrictedColumn(ApiError):
    """A filter or sort by a column the requester may not read (21 §7.1)."""

    status, code = 403, "data/permission-denied"

    def __init__(self, parameter: str, column: str, verb: str) -> None:
        message = f"You do not have permission to {verb} by {column[:_SHOWN]}"
        detail: Detail = {"field": parameter, "rule": "columnRead", "message": message}
        super().__init__(message, details=[detail])


def invalid_parameter(name: str, rule: str, message: str) -> InvalidData:
    """A query parameter that is not acceptable."""
    return InvalidData(message, [{"field": name[:_SHOWN], "rule": rule, "message": message}])
