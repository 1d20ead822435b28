"""The page of attacks names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/reference/security.md").read_text()
NAMED = re.findall(r"`([a-z0-9_/]+\.py)::(test_\w+)`", PAGE)
UNTRIED = {6}
"""Rows about what the server does not have."""


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_is_there(file: str, name: str) -> None:
    source = (TESTS / file).read_text()
    assert re.search(rf"^ *(async )?def {name}\(", source, re.MULTILINE)


def test_every_attack_has_a_test() -> None:
    rows = {int(row[0]): row[1] for row in re.findall(r"^\| (\d+) (\|.*)$", PAGE, re.MULTILINE)}
    assert set(rows) == set(range(1, 41))
    assert {number for number, row in rows.items() if "::test_" not in row} == UNTRIED
