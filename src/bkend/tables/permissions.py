"""What a caller may do with a table: yes, no, or only with own rows (21 §6, §7, §9)."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from bkend.caller import Group
from bkend.errors import Detail
from bkend.tables.errors import InvalidPermissions
from bkend.tables.models import OPERATIONS

Operation: TypeAlias = Literal["create", "read", "update", "delete", "list"]
Decision: TypeAlias = Literal["yes", "no", "own"]

GROUPS = ("admin", "user", "guest", "self")

DEFAULTS: dict[str, dict[str, bool]] = {
    "user": {"create": True, "read": True, "list": True},
    "guest": {"read": True, "list": True},
    "self": {"read": True, "update": True, "delete": True, "list": True},
}


class Permissions:
    """One table's boolean permissions, reduced once per table version.

    Not configured (None) means the default matrix; configured, even `{}`, means that whatever is
    not true is denied, except that an absent `list` takes the same role's `read`.
    """

    def __init__(self, configured: dict[str, dict[str, bool]] | None) -> None:
        matrix = DEFAULTS if configured is None else configured
        self._decisions: dict[tuple[Group, bool, str], Decision] = {}
        for operation in OPERATIONS:
            own = operation != "create" and _granted(matrix.get("self"), operation)
            for group in ("user", "guest"):
                granted = _granted(matrix.get(group), operation)
                for signed_in in (True, False):
                    decision: Decision = "yes" if granted else "no"
                    if not granted and own and signed_in:
                        decision = "own"
                    self._decisions[(group, signed_in, operation)] = decision

    def decide(self, operation: Operation, group: Group, *, signed_in: bool) -> Decision:
        """The answer that needs no row. `own` is only ever given to somebody signed in."""
        if group == "admin":
            return "yes"
        return self._decisions[(group, signed_in, operation)]


def check_permissions(given: Any) -> dict[str, dict[str, bool]] | None:
    """A permission set as it is stored; raises InvalidPermissions."""
    if given is None:
        return None
    problems: list[Detail] = []
    if not isinstance(given, dict):
        raise InvalidPermissions([_detail("", "type", "permissions map groups to operations")])
    for group, operations in given.items():
        if group not in GROUPS:
            problems.append(
                _detail(str(group), "group", f"{group!r} is no group; use {', '.join(GROUPS)}")
            )
        elif not isinstance(operations, dict):
            problems.append(_detail(group, "type", f"{group} maps operations to true or false"))
        else:
            problems.extend(_operation_problems(group, operations))
    if problems:
        raise InvalidPermissions(problems)
    return {group: dict(operations) for group, operations in given.items()}


def _operation_problems(group: str, operations: dict[Any, Any]) -> list[Detail]:
    problems: list[Detail] = []
    for operation, value in operations.items():
        place = f"{group}.{operation}"
        if operation not in OPERATIONS:
            words = ", ".join(OPERATIONS)
            problems.append(
                _detail(place, "operation", f"{operation!r} is no operation; use {words}")
            )
        elif not isinstance(value, bool):
            problems.append(_detail(place, "type", f"{place} is true or false"))
    return problems


def _granted(operations: dict[str, bool] | None, operation: str) -> bool:
    if not operations:
        return False
    if operation == "list" and "list" not in operations:
        return operations.get("read", False)
    return operations.get(operation, False)


def _detail(field: str, rule: str, message: str) -> Detail:
    return {"field": field, "rule": rule, "message": message}
