"""`Range` headers (30 §7): bounded before they are looked at, whole files where they ask for too
much (attack: quadratic work on many ranges)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bkend.files.errors import RangeNotSatisfiable

_LONGEST = 512
_MOST = 16
_RANGE = re.compile(r"\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to and without `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many."""
        return self.end - self.start


def parse_ranges(header: str | None, size: int) -> list[ByteRange]:
    """The ranges in the order asked for; none means the whole, also where the header is malformed
    or asks for more than the whole. Raises RangeNotSatisfiable."""
    if header is None or len(header) > _LONGEST:
        return []
    unit, _, wanted = header.partition("=")
    pieces = wanted.split(",")
    if unit.strip().lower() != "bytes" or len(pieces) > _MOST:
        return []
    found: list[ByteRange] = []
    for piece in pieces:
        match = _RANGE.fullmatch(piece)
        if match is None or match.group(1, 2) == ("", ""):
            return []
        first, last = match.groups()
        if first and last and int(last) < int(first):
            return []
        one = _within(first, last, size)
        if one.length > 0:
            found.append(one)
    if not found:
        raise RangeNotSatisfiable(size)
    return found if sum(one.length for one in found) <= size else []


def _within(first: str, last: str, size: int) -> ByteRange:
    if not first:
        return ByteRange(max(0, size - int(last)), size)
    return ByteRange(int(first), min(int(last) + 1, size) if last else size)
