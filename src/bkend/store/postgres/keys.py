"""Keys: one text for every value, in the order of 20 §7, that declared indexes are made of.

A class digit, then the string's first characters or the number's bits. Equal keys mean equal
values except where the operand is at least as long as the cut, or an integer that a float cannot
hold: there the value itself is compared too. Arrays have the key `9`: such rows are odd, a small
partial index lists them, and they are found by looking at every candidate.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from bkend.store.conditions import Path
from bkend.store.postgres.paths import CONTROL, through_array, value_at
from bkend.store.postgres.storable import escape, number_of

ODD = "'9'"
LONGEST_KEY = 200
_MOST_CHARACTERS = 600
_FIRST_INEXACT = 2**53
_MANTISSA = struct.Struct(">d")
_INVERTED = str.maketrans("0123456789abcdef", "fedcba9876543210")


def cut_of(fields: int) -> int:
    """How many characters of a string an index of so many fields can hold."""
    return min(LONGEST_KEY, _MOST_CHARACTERS // fields)


def key_expression(path: Path, cut: int) -> str:
    """The key of the value at a safe path, as indexes and queries spell it."""
    key = f"{CONTROL}.key({value_at(path)},{cut})"
    if len(path) > 1:
        key = f"CASE WHEN {through_array(path)} THEN {ODD} ELSE {key} END"
    return f'({key} COLLATE "C")'


def key_of(value: Any, cut: int) -> tuple[str, bool] | None:
    """The key of an operand and whether it alone decides; None for what no plain row holds."""
    if value is None:
        return "1", True
    if isinstance(value, bool):
        return ("5true" if value else "5false"), True
    if isinstance(value, str):
        held = escape(value)
        return "3" + held[:cut], len(held) < cut
    if isinstance(value, (int, float)):
        number = number_of(value)
        if not math.isfinite(number):
            return None
        return "2" + _bits(float(number)), abs(number) < _FIRST_INEXACT
    return ("4", False) if isinstance(value, dict) else None


def class_bounds(value: bool | int | float | str) -> tuple[str, str]:
    """The least key of the operand's class, and the least one after it."""
    for kind, first, end in ((bool, "5", "6"), (str, "3", "4")):
        if isinstance(value, kind):
            return first, end
    return "2", "3"


def _bits(number: float) -> str:
    """The number as 16 digits that sort as numbers do."""
    digits = _MANTISSA.pack(number + 0.0).hex()  # without the sign of a zero
    if digits[0] < "8":
        return f"{int(digits[0], 16) + 8:x}{digits[1:]}"
    return digits.translate(_INVERTED)
