"""The judge of the crash test must see every kind of broken promise."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crash.ledger import Ledger, fields_of


@pytest.fixture
def ledger() -> Ledger:
    """`kept` is acknowledged as 2, `gone` as removed; `late` is changed without an answer."""
    found = Ledger()
    for name, states in {"kept": (1, 2), "gone": (1, None), "late": (1,)}.items():
        for state in states:
            found.send(state, name)
            found.acknowledge(state, name)
    found.send(7, "late")
    found.groups.append(("x", "y"))
    found.send(3, "x", "y")
    return found


KEPT, LATE = fields_of("kept", 2), fields_of("late", 1)
X, Y = fields_of("x", 3), fields_of("y", 3)

WELL: list[list[dict[str, Any]]] = [
    [KEPT, LATE],
    [KEPT, fields_of("late", 7)],
    [KEPT, LATE, X, Y],
]
BROKEN: dict[str, list[dict[str, Any]]] = {
    "kept is None": [LATE],
    "kept is 1": [fields_of("kept", 1), LATE],
    "gone is 1": [KEPT, LATE, fields_of("gone", 1)],
    "late is None": [KEPT],
    "late is 8": [KEPT, fields_of("late", 8)],
    "stored by half": [{**KEPT, "double": 1}, LATE],
    "text": [{**KEPT, "text": ""}, LATE],
    "stored twice": [KEPT, KEPT, LATE],
    "out of nowhere": [KEPT, LATE, fields_of("new", 1)],
    "half of a batch": [KEPT, LATE, X],
}


@pytest.mark.parametrize("rows", WELL)
def test_kept_promises_are_no_problem(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    assert ledger.broken_promises(rows) == []
    assert ledger.broken_promises(rows) == []


@pytest.mark.parametrize(("problem", "rows"), BROKEN.items())
def test_each_broken_promise_is_told(
    ledger: Ledger, problem: str, rows: list[dict[str, Any]]
) -> None:
    (told,) = ledger.broken_promises(rows)
    assert problem in told


def test_what_was_found_once_must_stay(ledger: Ledger) -> None:
    assert ledger.broken_promises([KEPT, LATE, X, Y]) == []
    assert len(ledger.broken_promises([KEPT, fields_of("late", 7)])) == 3


def test_answers_are_counted(ledger: Ledger) -> None:
    assert (ledger.acknowledged, ledger.unanswered) == (5, 2)
