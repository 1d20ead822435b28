"""Who may do what with a table (21 §6, §7, §9, §12)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from bkend.caller import Group
from bkend.tables.errors import InvalidPermissions
from bkend.tables.permissions import Decision, Operation, Permissions, check_permissions

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
# Requesters of 21 §6: group, and whether somebody is signed in.
ANONYMOUS: tuple[Group, bool] = ("guest", False)
GUEST: tuple[Group, bool] = ("guest", True)
USER: tuple[Group, bool] = ("user", True)

Y: Decision = "yes"
N: Decision = "no"
O: Decision = "own"  # noqa: E741

DEFAULTS: Any = None

# configured, requester, decisions for create read update delete list
MATRIX: list[tuple[Any, tuple[Group, bool], tuple[Decision, ...]]] = [
    (DEFAULTS, USER, (Y, Y, O, O, Y)),
    (DEFAULTS, GUEST, (N, Y, O, O, Y)),
    (DEFAULTS, ANONYMOUS, (N, Y, N, N, Y)),
    ({}, USER, (N, N, N, N, N)),
    ({}, GUEST, (N, N, N, N, N)),
    ({}, ANONYMOUS, (N, N, N, N, N)),
    ({"guest": {}}, USER, (N, N, N, N, N)),
    ({"guest": {}}, ANONYMOUS, (N, N, N, N, N)),
    ({"user": {"read": True}}, USER, (N, Y, N, N, Y)),
    ({"user": {"read": True}}, GUEST, (N, N, N, N, N)),
    ({"user": {"read": True, "list": False}}, USER, (N, Y, N, N, N)),
    ({"user": {"read": False}}, USER, (N, N, N, N, N)),
    ({"user": {"list": True}}, USER, (N, N, N, N, Y)),
    ({"user": {"create": True}}, USER, (Y, N, N, N, N)),
    ({"guest": {"read": True}}, ANONYMOUS, (N, Y, N, N, Y)),
    ({"guest": {"read": True}}, USER, (N, N, N, N, N)),
    ({"user": {"list": True}, "self": {"list": True}}, USER, (N, N, N, N, Y)),
    ({"self": {"read": True}}, USER, (N, O, N, N, O)),
    ({"self": {"read": True}}, GUEST, (N, O, N, N, O)),
    ({"self": {"read": True}}, ANONYMOUS, (N, N, N, N, N)),
    ({"self": {"read": True, "list": False}}, USER, (N, O, N, N, N)),
    ({"self": {"create": True}}, USER, (N, N, N, N, N)),
    ({"self": {"update": True, "delete": True}}, USER, (N, N, O, O, N)),
    ({"self": {"update": True}}, ANONYMOUS, (N, N, N, N, N)),
    ({"admin": {"read": False}}, USER, (N, N, N, N, N)),
    (
        {"user": {"create": True}, "self": {"read": True, "update": True, "list": True}},
        USER,
        (Y, O, O, N, O),
    ),
    (
        {"user": {"update": True}, "self": {"update": True}},
        USER,
        (N, N, Y, N, N),
    ),
]

REFUSED: list[tuple[Any, str, str]] = [
    ([], "", "type"),
    ("all", "", "type"),
    (True, "", "type"),
    ({"users": {}}, "users", "group"),
    ({"user": True}, "user", "type"),
    ({"user": None}, "user", "type"),
    ({"user": ["read"]}, "user", "type"),
    ({"user": {"red": True}}, "user.red", "operation"),
    ({"user": {"read": "yes"}}, "user.read", "type"),
    ({"user": {"read": 1}}, "user.read", "type"),
    ({"user": {"read": None}}, "user.read", "type"),
    ({"read": "user | self"}, "read", "group"),
]


@pytest.mark.parametrize(("configured", "requester", "expected"), MATRIX)
def test_decisions(
    configured: Any, requester: tuple[Group, bool], expected: tuple[Decision, ...]
) -> None:
    group, signed_in = requester
    permissions = Permissions(check_permissions(configured))
    found = tuple(permissions.decide(op, group, signed_in=signed_in) for op in OPERATIONS)
    assert found == expected


@pytest.mark.parametrize("configured", [None, {}, {"admin": {"read": False}}, {"guest": {}}])
@pytest.mark.parametrize("signed_in", [True, False])
def test_admin_passes_everything(configured: Any, signed_in: bool) -> None:
    permissions = Permissions(configured)
    found = {permissions.decide(op, "admin", signed_in=signed_in) for op in OPERATIONS}
    assert found == {"yes"}


def test_not_configured_stays_null() -> None:
    assert check_permissions(None) is None


def test_what_is_written_is_kept_as_it_is() -> None:
    given = {"user": {"read": True, "list": False}, "guest": {}, "admin": {"create": False}}
    assert check_permissions(given) == given


@pytest.mark.parametrize(("given", "field", "rule"), REFUSED)
def test_malformed_permissions_are_refused(given: Any, field: str, rule: str) -> None:
    with pytest.raises(InvalidPermissions) as caught:
        check_permissions(given)
    assert caught.value.code == "table/invalid-permissions"
    [detail] = caught.value.details
    assert (detail["field"], detail.get("rule")) == (field, rule)
