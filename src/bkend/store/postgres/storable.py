"""Documents and operands in the form that `data` holds: JSON that jsonb can take.

jsonb refuses the NUL character, so NUL becomes `\\x01\\x01` and `\\x01` becomes `\\x01\\x02`, which
keeps the order of code points. Integers beyond 64 bits count as the float nearest to them.
"""

from __future__ import annotations

import math
import re
from typing import Any

from bkend.store.documents import decode, parse_time, wire_json

LARGEST_INTEGER = 2**63 - 1
_UNUSUAL = re.compile(rb"\\u000[01]|\d{19}")


def escape(text: str) -> str:
    """The text as columns and `data` hold it."""
    if "\1" not in text and "\0" not in text:
        return text
    return text.replace("\1", "\1\2").replace("\0", "\1\1")


def unescape(text: str) -> str:
    """The inverse of `escape`."""
    if "\1" not in text:
        return text
    return text.replace("\1\1", "\0").replace("\1\2", "\1")


def is_text(value: str) -> bool:
    """Whether a document can hold the string: half a surrogate pair it cannot."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def data_of(body: bytes) -> str | None:
    """What `data` holds for a document, or None when that is the document itself."""
    if _UNUSUAL.search(body) is None:
        return None
    return wire_json(_storable(decode(body))).decode()


def number_of(value: int | float) -> int | float:
    """The number as documents hold it; infinite when none could."""
    if isinstance(value, float) or -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def operand(value: Any) -> str | None:
    """A value as the text of a jsonb, or None when no document could hold it."""
    try:
        return wire_json(_storable(value)).decode()
    except (TypeError, ValueError):
        return None


def instant(text: str) -> int | None:
    """Milliseconds, or None for what is no time and so equals none."""
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        return None


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if type(value) in (int, float):
        number = number_of(value)
        if not math.isfinite(number):
            raise ValueError("too large for a JSON number")
        return number
    if isinstance(value, dict):
        return {escape(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value
