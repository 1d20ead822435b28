"""Conditions as values: how they combine, and that they are safe keys of a cache."""

from __future__ import annotations

import pytest

from bkend.store import ALWAYS, NEVER, Compare, Condition, Equals, Not, OneOf, all_of, any_of
from bkend.store.conditions import And, Or

A, B, C = (Equals((name,), 1) for name in "abc")


def test_all_of_is_flat_and_leaves_out_what_is_always_true() -> None:
    assert all_of() == ALWAYS
    assert all_of(ALWAYS, A) == A
    assert all_of(all_of(A, B), ALWAYS, C) == And((A, B, C))
    assert all_of(A, NEVER, B) == NEVER


def test_any_of_is_flat_and_leaves_out_what_is_never_true() -> None:
    assert any_of() == NEVER
    assert any_of(NEVER, A) == A
    assert any_of(any_of(A, B), NEVER, C) == Or((A, B, C))
    assert any_of(A, ALWAYS, B) == ALWAYS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Equals(("a",), 1), Equals(("a",), True)),
        (Equals(("a",), 0), Equals(("a",), False)),
        (OneOf(("a",), (0, 1)), OneOf(("a",), (0, True))),
        (OneOf(("a",), (1,)), OneOf(("a",), (1, 1))),
        (Compare(("a",), "gt", 1), Compare(("a",), "gt", True)),
        (Compare(("a",), "gt", 1), Compare(("a",), "gte", 1)),
        (Equals(("a",), "1"), Equals(("a",), 1)),
        (Equals(("a",), 1), Equals(("a", "a"), 1)),
        (Equals(("a",), 1), OneOf(("a",), (1,))),
    ],
)
def test_conditions_that_mean_different_things_are_different_keys(
    one: Condition, other: Condition
) -> None:
    assert one != other
    assert Not(one) != Not(other)
    assert {And((one,)): "one"}.get(And((other,))) is None


def test_equal_conditions_are_the_same_key() -> None:
    held = {Or((Equals(("a",), 1), OneOf(("b",), ("x", None)), Compare(("c",), "lt", "y"))): "it"}
    assert held[Or((Equals(("a",), 1), OneOf(("b",), ("x", None)), Compare(("c",), "lt", "y")))]
