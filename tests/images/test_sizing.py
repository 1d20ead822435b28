"""How large images become (30 §8, §11 no. 12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkend.images.instructions import Instructions
from bkend.images.sizing import sizing

SOURCES = st.tuples(st.integers(1, 60_000), st.integers(1, 60_000))
SIDES = st.integers(1, 4096)


@pytest.mark.parametrize(
    ("source", "asked", "result"),
    [
        ((600, 600), Instructions(300, 200, fit_in=True), (200, 200)),
        ((100, 50), Instructions(300, 200, fit_in=True), (100, 50)),
        ((600, 400), Instructions(300, 0, fit_in=True), (300, 200)),
        ((600, 400), Instructions(0, 100, fit_in=True), (150, 100)),
        ((60, 40), Instructions(0, 100, fit_in=True), (60, 40)),
        ((60, 40), Instructions(0, 100), (150, 100)),
        ((60, 40), Instructions(30), (30, 20)),
        ((60, 40), Instructions(), (60, 40)),
        ((60, 40), Instructions(80, 80), (80, 80)),
        ((1, 60_000), Instructions(80, 80, smart=True), (80, 80)),
        ((60_000, 1), Instructions(10, fit_in=True), (10, 1)),
    ],
    ids=str,
)
def test_the_size_of_the_result(
    source: tuple[int, int], asked: Instructions, result: tuple[int, int]
) -> None:
    assert sizing(*source, asked).result == result


@given(SOURCES, SIDES, SIDES)
def test_what_is_fitted_in_fits_and_is_never_enlarged(
    source: tuple[int, int], width: int, height: int
) -> None:
    found = sizing(*source, Instructions(width, height, fit_in=True)).result
    assert 1 <= found[0] <= min(width, source[0])
    assert 1 <= found[1] <= min(height, source[1])
    is_full = found[0] == min(width, source[0]) or found[1] == min(height, source[1])
    assert is_full


@given(SOURCES, SIDES, SIDES, st.booleans())
def test_what_is_cropped_is_exact_and_covered(
    source: tuple[int, int], width: int, height: int, smart: bool
) -> None:
    found = sizing(*source, Instructions(width, height, smart=smart))
    assert found.result == (width, height)
    assert found.width >= width
    assert found.height >= height
    assert found.width == width or found.height == height


@given(SOURCES, SIDES)
def test_a_free_side_follows_the_other(source: tuple[int, int], side: int) -> None:
    wide, high = source
    assert sizing(*source, Instructions(side)).result == (side, max(1, _near(high * side / wide)))
    assert sizing(*source, Instructions(0, side)).result == (
        max(1, _near(wide * side / high)),
        side,
    )


def _near(value: float) -> int:
    return int(value + 0.5)
