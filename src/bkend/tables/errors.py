"""What table design and table look-up can refuse (21 §1, 00 §11)."""

from __future__ import annotations

from bkend.errors import ApiError, Detail


class InvalidTableName(ApiError):
    """The name does not match the pattern of 21 §1."""

    status, code = 400, "table/invalid-name"
    default_message = (
        "A table name is a letter, then letters, digits, _ or -, at most 64 characters"
    )


class ReservedTableName(ApiError):
    """The name belongs to a system table or to a route."""

    status, code = 403, "table/reserved-name"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is a reserved name; choose another one")


class TableExists(ApiError):
    """There is a table of this name, or one that differs only in case."""

    status, code = 409, "table/already-exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is already a table {name!r}")


class TableNotFound(ApiError):
    """No table of this name or id in the environment."""

    status, code = 404, "table/not-found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no table {name[:64]!r}")


class SystemTableProtected(ApiError):
    """One of the four system tables cannot be designed, deleted or written to (21 §1, §10)."""

    status, code = 403, "table/system-table-protected"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is a system table; it cannot be changed here")


class VersionNotFound(ApiError):
    """The table has no schema or index version of this number."""

    status, code = 404, "table/schema-version-not-found"

    def __init__(self, name: str, version: int) -> None:
        super().__init__(f"{name!r} has no version {version}")


class TableChanged(ApiError):
    """The table was changed by somebody else again and again while this change was made."""

    status, code = 409, "table/changed-meanwhile"
    default_message = "the table was changed by somebody else at the same moment; try again"


class PreconditionFailed(ApiError):
    """`If-Match` names another schema version than the table has (51 §6)."""

    status, code = 412, "common/precondition-failed"

    def __init__(self, version: int) -> None:
        super().__init__(f"the table is at schema version {version}; read it again")


class InvalidSchema(ApiError):
    """A column definition is malformed; details name the columns."""

    status, code = 400, "table/invalid-schema"

    def __init__(self, details: list[Detail]) -> None:
        super().__init__(_first(details, "the schema is malformed"), details=details)


class InvalidIndex(ApiError):
    """An index definition is malformed."""

    status, code = 400, "table/invalid-index"

    def __init__(self, details: list[Detail]) -> None:
        super().__init__(_first(details, "an index is malformed"), details=details)


class InvalidPermissions(ApiError):
    """A permission set is malformed."""

    status, code = 400, "table/invalid-permissions"

    def __init__(self, details: list[Detail]) -> None:
        super().__init__(_first(details, "the permissions are malformed"), details=details)


class DuplicateValue(ApiError):
    """A unique index refuses the value, or cannot be built over duplicates."""

    status, code = 409, "data/duplicate-value"


def detail(field: str, rule: str, message: str) -> Detail:
    """One thing to point at."""
    return {"field": field, "rule": rule, "message": message}


def _first(details: list[Detail], otherwise: str) -> str:
    return details[0]["message"] if details else otherwise
