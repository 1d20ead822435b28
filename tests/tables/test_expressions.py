"""Permission expressions: the grammar and the truth table of 21 §8."""

from __future__ import annotations

import pytest

from bkend.caller import Standing
from bkend.tables.expressions import (
    DENIED,
    LONGEST_EXPRESSION,
    InvalidExpression,
    Verdict,
    parse_expression,
    stored_expression,
)

ANONYMOUS = Standing("guest", signed_in=False)
GUEST = Standing("guest", signed_in=True)
USER = Standing("user", signed_in=True)
CUSTOM = Standing("user", signed_in=True, role="x")
ADMIN = Standing("admin", signed_in=True)
REQUESTERS = (ANONYMOUS, GUEST, USER, CUSTOM, ADMIN)

Y: Verdict = "yes"
N: Verdict = "no"
O: Verdict = "own"  # noqa: E741

TRUTH: list[tuple[str, tuple[Verdict, ...]]] = [
    ("public", (Y, Y, Y, Y, Y)),
    ("guest", (Y, Y, Y, Y, Y)),
    ("user", (N, N, Y, Y, Y)),
    ("admin", (N, N, N, N, Y)),
    ("self", (N, O, O, O, Y)),
    ("role:x", (N, N, N, Y, Y)),
    ("role:y", (N, N, N, N, Y)),
    ("role:*", (N, N, N, Y, Y)),
    ("role:user", (N, N, N, N, Y)),
    ("role:guest", (N, N, N, N, Y)),
    ("role:admin", (N, N, N, N, Y)),
    ("guest | user & self", (Y, Y, Y, Y, Y)),
    ("user & self | guest", (Y, Y, Y, Y, Y)),
    ("(guest | user) & self", (N, O, O, O, Y)),
    ("user & self", (N, N, O, O, Y)),
    ("self & user | role:x", (N, N, O, Y, Y)),
    ("self | user", (N, O, Y, Y, Y)),
    ("self & self", (N, O, O, O, Y)),
    ("self & public", (N, O, O, O, Y)),
    ("self | admin", (N, O, O, O, Y)),
    ("((role:*))&(user|guest)", (N, N, N, Y, Y)),
    (" \tself\n|  role:x ", (N, O, O, Y, Y)),
    ("admin | admin & public | user & role:*", (N, N, N, Y, Y)),
]

REFUSED = (
    *("", " ", "nobody", "User", "SELF", "role:X", "role:", "role", "role:1", "role:*x", "user:x"),
    *("user user", "user &", "& user", "user | | guest", "user || guest", "user && guest"),
    *("!user", "not user", "()", "(user", "user)", ")user(", "user (guest)", "(user) guest"),
    *("role:" + "a" * 65, "users", "selfuser", "user,guest", "user + guest", "$userId", "role:é"),
    *("user\0", "usér", "ｕｓｅｒ", "user\u00a0| guest", "user" + " " * LONGEST_EXPRESSION),
)


@pytest.mark.parametrize(("text", "expected"), TRUTH)
def test_truth_table(text: str, expected: tuple[Verdict, ...]) -> None:
    expression = parse_expression(text)
    assert tuple(expression.reduce(requester) for requester in REQUESTERS) == expected


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        parse_expression(text)
    assert str(caught.value)


@pytest.mark.parametrize("text", [*REFUSED, None, 5, True, ["user"], {}])
def test_a_stored_rule_that_does_not_parse_denies(text: object) -> None:
    expression = stored_expression(text)
    assert expression == DENIED
    assert [expression.reduce(requester) for requester in REQUESTERS] == [N, N, N, N, Y]


def test_self_holds_on_create_for_whoever_is_signed_in() -> None:
    expression = parse_expression("self")
    found = [expression.reduce(requester, owned="yes") for requester in REQUESTERS]
    assert found == [N, Y, Y, Y, Y]


def test_the_longest_expression_may_be_nothing_but_parentheses() -> None:
    deep = (LONGEST_EXPRESSION - 4) // 2
    text = "(" * deep + "self" + ")" * deep
    assert parse_expression(text).reduce(USER) == "own"
    with pytest.raises(InvalidExpression):
        parse_expression("(" * LONGEST_EXPRESSION)


def test_names_of_roles_have_up_to_64_characters() -> None:
    name = "a" + "_-9" * 21
    assert len(name) == 64
    requester = Standing("user", signed_in=True, role=name)
    assert parse_expression(f"role:{name}").reduce(requester) == "yes"
