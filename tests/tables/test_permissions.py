"""Who may do what with a table (21 §6, §7, §9, §12)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from bkend.caller import Standing
from bkend.tables.errors import InvalidPermissions
from bkend.tables.models import Table
from bkend.tables.parts import check_permissions
from bkend.tables.permissions import NO_COLUMNS, Columns, Decision, Operation, Permissions
from bkend.tables.schema import canonical_schema

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
# Requesters of 21 §6.
ANONYMOUS = Standing("guest", signed_in=False)
GUEST = Standing("guest", signed_in=True)
USER = Standing("user", signed_in=True)
EDITOR = Standing("user", signed_in=True, role="editor")
ADMIN = Standing("admin", signed_in=True)

Y: Decision = "yes"
N: Decision = "no"
O: Decision = "own"  # noqa: E741

DEFAULTS: Any = None

# configured, requester, decisions for create read update delete list
MATRIX: list[tuple[Any, Standing, tuple[Decision, ...]]] = [
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


def compiled(**parts: Any) -> Permissions:
    """The permissions of a table with these parts."""
    schema = canonical_schema({"title": "string"})
    held = Table("t", "t", schema, (), parts.pop("permissions", None), None, None, 1, 1, **parts)
    return Permissions(held)


def decisions(permissions: Permissions, requester: Standing) -> tuple[Decision, ...]:
    return tuple(permissions.decide(operation, requester) for operation in OPERATIONS)


@pytest.mark.parametrize(("configured", "requester", "expected"), MATRIX)
def test_decisions(configured: Any, requester: Standing, expected: tuple[Decision, ...]) -> None:
    permissions = compiled(permissions=check_permissions(configured))
    assert decisions(permissions, requester) == expected


@pytest.mark.parametrize("configured", [None, {}, {"admin": {"read": False}}, {"guest": {}}])
@pytest.mark.parametrize("signed_in", [True, False])
def test_admin_passes_everything(configured: Any, signed_in: bool) -> None:
    admin = Standing("admin", signed_in=signed_in)
    closed = dict.fromkeys(OPERATIONS, "self")
    for expressions in (None, closed, {"read": "nonsense"}):
        permissions = compiled(permissions=configured, expression_permissions=expressions)
        assert set(decisions(permissions, admin)) == {"yes"}


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


# expressions, requester, decisions for create read update delete list; else the default matrix
EXPRESSED: list[tuple[dict[str, str], Standing, tuple[Decision, ...]]] = [
    ({}, USER, (Y, Y, O, O, Y)),
    ({"read": "user"}, ANONYMOUS, (N, N, N, N, N)),
    ({"read": "user"}, USER, (Y, Y, O, O, Y)),
    ({"read": "self"}, USER, (Y, O, O, O, O)),
    ({"read": "self", "list": "public"}, USER, (Y, O, O, O, Y)),
    ({"read": "public", "list": "admin"}, USER, (Y, Y, O, O, N)),
    ({"create": "self"}, USER, (Y, Y, O, O, Y)),
    ({"create": "self"}, GUEST, (Y, Y, O, O, Y)),
    ({"create": "self"}, ANONYMOUS, (N, Y, N, N, Y)),
    ({"create": "role:editor"}, USER, (N, Y, O, O, Y)),
    ({"create": "role:editor"}, EDITOR, (Y, Y, O, O, Y)),
    ({"read": "guest | user & self"}, ANONYMOUS, (N, Y, N, N, Y)),
    ({"read": "guest | user & self"}, USER, (Y, Y, O, O, Y)),
    ({"read": "user & self"}, USER, (Y, O, O, O, O)),
    ({"read": "user & self"}, GUEST, (N, N, O, O, N)),
    ({"read": "user &"}, USER, (Y, N, O, O, N)),
    ({"list": "nonsense"}, USER, (Y, Y, O, O, N)),
]


@pytest.mark.parametrize(("expressions", "requester", "expected"), EXPRESSED)
def test_expressions_come_before_boolean_mode(
    expressions: dict[str, str], requester: Standing, expected: tuple[Decision, ...]
) -> None:
    permissions = compiled(expression_permissions=expressions)
    assert decisions(permissions, requester) == expected


def test_boolean_list_does_not_outrank_the_read_expression() -> None:
    permissions = compiled(
        permissions={"guest": {"list": True}}, expression_permissions={"read": "user"}
    )
    assert permissions.decide("list", ANONYMOUS) == "no"


def test_columns_are_withheld_by_expression() -> None:
    columns = {
        "secret": {"read": "admin", "write": "role:editor"},
        "mail": {"read": "self"},
        "open": {"write": "self"},
        "broken": {"read": "user |"},
        "createdBy": {"read": "admin"},
    }
    permissions = compiled(column_permissions=columns)
    for requester in (USER, EDITOR, GUEST):
        found = permissions.unreadable(requester)
        assert found == Columns(frozenset({"secret", "broken"}), frozenset({"mail"}))
    assert permissions.unreadable(ANONYMOUS).never == {"secret", "broken", "mail"}
    assert permissions.unreadable(ADMIN) == NO_COLUMNS
    assert permissions.unwritable("update", USER) == Columns(
        frozenset({"secret"}), frozenset({"open"})
    )
    assert permissions.unwritable("update", EDITOR) == Columns(own_only=frozenset({"open"}))
    assert permissions.unwritable("create", USER) == Columns(frozenset({"secret"}))
    assert permissions.unwritable("create", ANONYMOUS).never == {"secret", "open"}
    assert permissions.unwritable("update", ADMIN) == NO_COLUMNS


def test_sights_are_shared_only_between_those_who_see_the_same() -> None:
    rules = [
        {"expression": "guest", "filter": {"published": True}},
        {"expression": "role:editor", "filter": {}},
        {"expression": "user", "filter": {"team": {"$in": ["$userId"]}}},
    ]
    permissions = compiled(row_filters=rules)
    sights = {who: permissions.sight(who) for who in (ANONYMOUS, GUEST, USER, EDITOR, ADMIN)}
    assert sights[ANONYMOUS].number == sights[GUEST].number
    distinct = (ANONYMOUS, USER, EDITOR, ADMIN)
    assert len({sights[who].number for who in distinct}) == 4
    assert [sights[who].personal for who in distinct] == [False, True, True, False]
    assert sights[ADMIN].rules is None


def test_no_rule_that_counts_is_not_the_same_as_no_rule() -> None:
    permissions = compiled(row_filters=[{"expression": "admin", "filter": {}}])
    assert permissions.sight(USER).rules == ()
    assert compiled(row_filters=[]).sight(USER).rules is None
    assert compiled().sight(USER).rules is None


def test_a_rule_with_the_user_never_counts_without_one() -> None:
    rules = [{"expression": "public", "filter": {"a": {"b": ["$userId"]}}}]
    permissions = compiled(row_filters=rules)
    assert permissions.sight(ANONYMOUS).rules == ()
    [rule] = permissions.sight(GUEST).rules or ()
    assert rule.filter.of("u1") == {"a": {"b": ["u1"]}}
    assert not rule.own


def test_self_in_a_row_filter_limits_the_rule_to_own_rows() -> None:
    permissions = compiled(row_filters=[{"expression": "self", "filter": {}}])
    [rule] = permissions.sight(USER).rules or ()
    assert rule.own
    assert permissions.sight(ANONYMOUS).rules == ()
