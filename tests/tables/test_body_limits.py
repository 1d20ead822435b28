"""What no body may hold, whatever the schema: names, depth, numbers, slow patterns (21 §3)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.tables.schema import canonical_schema
from bkend.tables.validation import MalformedBody, RowValidator


def validator(fields: Any, **extra: Any) -> RowValidator:
    return RowValidator(canonical_schema(fields) | extra)


@pytest.mark.parametrize(
    "body",
    [
        {"": 1},
        {"$set": 1},
        {"a.b": 1},
        {"a\0": 1},
        {"a": {"$gt": 1}},
        {"a": {"": 1}},
        {"a": [{"x\0y": 1}]},
        {"a": {"b": [{"$c": 1}]}},
    ],
)
def test_field_names_that_cannot_be_stored_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedBody) as caught:
        validator({"a": "mixed"}).create(body)
    assert caught.value.detail.get("rule") == "fieldName"


def test_a_dot_is_fine_in_a_nested_name() -> None:
    body = {"a": {"b.c": 1, "d$": 2}}
    assert validator({}).create(dict(body)) == (body, [])


def deep(levels: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value} if kind == "object" else [value]
    return value


@pytest.mark.parametrize("kind", ["object", "array"])
def test_values_nest_at_most_64_levels(kind: str) -> None:
    rows = validator({})
    # The body itself is the first level.
    assert rows.create({"a": deep(63, kind)})[1] == []
    for levels in (64, 500):
        with pytest.raises(MalformedBody) as caught:
            rows.create({"a": deep(levels, kind)})
        assert caught.value.detail.get("rule") == "depth"
        assert len(caught.value.detail["field"]) <= 256


def test_patterns_run_in_linear_time() -> None:
    rows = validator({"a": {"type": "string", "pattern": "^(a+)+$"}})
    assert rows.create({"a": "a" * 50_000 + "!"})[1][0].get("rule") == "pattern"


def test_names_with_slashes_and_tildes_are_reported_as_they_are() -> None:
    rows = validator({}, additionalProperties=False)
    _, [detail] = rows.create({"a/b~c": 1})
    assert detail["field"] == "a/b~c"


@pytest.mark.parametrize("low", [None, -1e30])
@pytest.mark.parametrize(
    ("value", "good"),
    [
        (2**63 - 1, True),
        (-(2**63) + 1, True),
        (-(2**63), False),
        (2**63, False),
        (1e30, False),
    ],
)
def test_integers_lie_within_64_bits_whatever_their_bounds(
    low: float | None, value: float, good: bool
) -> None:
    column = {"type": "int", "minimum": low, "maximum": low and -low}
    validator = RowValidator(canonical_schema({"n": column}))
    assert (validator.create({"n": value})[1] == []) is good
