"""How large a picture is to be, from its size and the instructions (30 §8)."""

from __future__ import annotations

from dataclasses import dataclass

from bkend.images.instructions import Instructions


@dataclass(frozen=True, slots=True)
class Sizing:
    """First to be scaled to these sides, then cropped to the others, all in pixels."""

    width: int
    height: int
    crop: tuple[int, int] | None = None

    @property
    def result(self) -> tuple[int, int]:
        """The sides in the end."""
        return self.crop or (self.width, self.height)

    @property
    def cropped(self) -> Sizing:
        """The same result, scaled after the crop."""
        return Sizing(*self.result)


def sizing(width: int, height: int, asked: Instructions) -> Sizing:
    """For a picture of these sides, as it is to be looked at."""
    most_wide, most_high = asked.width, asked.height
    if not most_wide and not most_high:
        return Sizing(width, height)
    is_cropped = bool(most_wide and most_high) and not asked.fit_in
    by_width = most_wide * height  # to compare the ratios without rounding
    by_height = most_high * width
    if is_cropped:
        if by_width >= by_height:
            wide, high = most_wide, max(most_high, _scaled(height, most_wide, width))
        else:
            wide, high = max(most_wide, _scaled(width, most_high, height)), most_high
        return Sizing(wide, high, (most_wide, most_high))
    if most_high == 0 or (most_wide and by_width <= by_height):
        wide, high = most_wide, _scaled(height, most_wide, width)
    else:
        wide, high = _scaled(width, most_high, height), most_high
    if asked.fit_in and (wide > width or high > height):
        return Sizing(width, height)
    return Sizing(wide, high)


def _scaled(side: int, to: int, of: int) -> int:
    """`side` in the ratio in which `of` becomes `to`, rounded, at least 1."""
    return max(1, (2 * side * to + of) // (2 * of))
