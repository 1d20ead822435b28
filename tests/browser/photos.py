"""Pictures that are worth looking at: hills under a sky, 640 by 480 points, PNG."""

from __future__ import annotations

import math
import struct
import zlib

from tests.browser.pictures import chunk

_WIDTH, _HEIGHT = 640, 480
_SKIES = [(64, 120, 190), (210, 110, 70), (90, 70, 150)]


def photo(number: int) -> bytes:
    """Another one for each number."""
    red, green, blue = _SKIES[number % len(_SKIES)]
    ridge = [
        int(_HEIGHT * (0.6 + 0.15 * math.sin(x / 90 + number) + 0.05 * math.sin(x / 23)))
        for x in range(_WIDTH)
    ]
    rows = []
    for y in range(_HEIGHT):
        light = y / _HEIGHT
        sky = bytes(int(c + (250 - c) * light) for c in (red, green, blue))
        hill = bytes(int(c * (1.1 - light)) for c in (60, 150, 95))
        rows.append(b"\0" + b"".join(hill if y > ridge[x] else sky for x in range(_WIDTH)))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"".join(rows), 6))
        + chunk(b"IEND", b"")
    )
