"""What stays of a picture that is cropped: its middle, or the region with the most details."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import pyvips

_LOOKED_AT = 250_000
"""Pixels in which the details are looked for: in more the same ones are found, slowly."""
_WHITE = [255.0]


@dataclass(frozen=True, slots=True)
class Box:
    """A region of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def of(self, image: pyvips.Image) -> pyvips.Image:
        """The region of that picture."""
        return image.crop(self.left, self.top, self.width, self.height)


def box_of(image: pyvips.Image, width: int, height: int, *, smart: bool) -> Box:
    """The region of that size, no larger than the picture; the same one each time."""
    if (width, height) == (image.width, image.height):
        return Box(0, 0, width, height)
    if not smart:
        return Box((image.width - width) // 2, (image.height - height) // 2, width, height)
    left, top = _details(image, width, height)
    return Box(min(left, image.width - width), min(top, image.height - height), width, height)


def _details(image: pyvips.Image, width: int, height: int) -> tuple[int, int]:
    """The corner of the region whose pixels differ most: where what surrounds it has the least
    entropy."""
    flat = image.flatten(background=_WHITE) if image.hasalpha() else image
    factor = max(1.0, sqrt(image.width * image.height / _LOOKED_AT))
    if factor > 1:
        flat = flat.resize(
            _part(image.width, factor) / image.width,
            vscale=_part(image.height, factor) / image.height,
        )
    # Both in the same rounding, so that a side that is not cropped stays so.
    wanted = min(_part(width, factor), flat.width), min(_part(height, factor), flat.height)
    found = flat.smartcrop(*wanted, interesting="entropy")
    return round(-found.xoffset * factor), round(-found.yoffset * factor)


def _part(side: int, factor: float) -> int:
    return max(1, round(side / factor))
