"""Malformed queries: one class, always 400 and naming the parameter (20 §4.4, §5)."""

from __future__ import annotations

from bkend.errors import ApiError, Detail


class InvalidData(ApiError):
    """A body, filter, sort or page parameter of the data API is not acceptable."""

    status, code = 400, "data/validation-error"

    def __init__(self, message: str, details: list[Detail] | None = None) -> None:
        super().__init__(message, details=details or [])


def invalid_parameter(name: str, rule: str, message: str) -> InvalidData:
    """A query parameter that is not acceptable."""
    return InvalidData(message, [{"field": name, "rule": rule, "message": message}])
