"""Numbers as SQLite reads them from a document."""

from __future__ import annotations

import math

LARGEST_INTEGER = 2**63 - 1


def stored_number(value: int | float) -> int | float:
    """The number as SQLite reads it from a document: an integer beyond 64 bits as a float."""
    if isinstance(value, float) or -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
