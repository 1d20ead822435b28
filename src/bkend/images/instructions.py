"""What the path of an image asks for (30 §8), read without looking at anything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bkend.files.errors import InvalidFileFormat, InvalidFilePath
from bkend.images.formats import FORMATS, Format

LONGEST_SIDE = 4096
LARGEST_BLUR = 150.0
DEFAULT_QUALITY = 80
_BEST_QUALITY = 100
_SIZE = re.compile(r"([0-9]+)x([0-9]+)")
_LIKE_SIZE = re.compile(r"(?=.*[0-9])[+-]?[0-9.]*[xX][+-]?[0-9.]*")
_FILTERS = re.compile(r"filters(?::|%3a)", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)(?:\(|%28)")
_BRACKET = re.compile(r"\(|\)|%28|%29")
_COLON = re.compile(r":|%3a", re.IGNORECASE)
_ESCAPED = re.compile(r"%(28|29|3a|2c)", re.IGNORECASE)
_INTEGER = re.compile(r"([+-]?)([0-9]+)")
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]+)?"
_BLUR = re.compile(rf"({_NUMBER})(?:,({_NUMBER}))?")
_MOST_DIGITS = 300
"""Of a number; with more it would be no float."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """What is to be done, in one way for all paths that ask for the same."""

    width: int = 0
    """In pixels, 0 is free; so is `height`."""
    height: int = 0
    fit_in: bool = False
    """The whole picture within the sides and never enlarged; else the sides exactly."""
    smart: bool = False
    """Cropped around the details instead of the middle."""
    quality: int = DEFAULT_QUALITY
    format: Format | None = None
    """None leaves it to the source and the client."""
    blur: tuple[float, float] | None = None
    """Radius and sigma in pixels."""

    def path(self) -> str:
        """The part of a path that asks for this, `""` or with a `/` at its end."""
        parts = []
        if self.width or self.height:
            parts.append(f"{'fit-in/' if self.fit_in else ''}{self.width}x{self.height}")
        if self.smart:
            parts.append("smart")
        filters = []
        if self.quality != DEFAULT_QUALITY:
            filters.append(f"quality({self.quality})")
        if self.format is not None:
            filters.append(f"format({self.format})")
        if self.blur is not None:
            filters.append("blur({:.2f},{:.2f})".format(*self.blur))
        if filters:
            parts.append(":".join(["filters", *filters]))
        return "".join(f"{part}/" for part in parts)


def parse_image_path(path: str) -> tuple[Instructions, str]:
    """The instructions and the key of a path without its leading slash, percent-decoded once.

    Raises InvalidFilePath for what looks like an instruction and is none, and where no key is left;
    InvalidFileFormat for a format that is not known.
    """
    width, height, fit_in, rest = _size(path)
    head, mark, tail = rest.partition("/")
    is_smart = head == "smart"
    if is_smart:
        rest = _rest(mark, tail)
    filters, rest = _filters(rest)
    if not rest:
        raise InvalidFilePath("The path of an image ends with the key of a file")
    is_cropped = bool(width and height) and not fit_in
    asked = Instructions(
        width=width,
        height=height,
        fit_in=fit_in and bool(width or height),
        smart=is_smart and is_cropped,
        **_effects(filters),
    )
    return asked, rest


def _size(path: str) -> tuple[int, int, bool, str]:
    head, mark, tail = path.partition("/")
    fit_in = head == "fit-in"
    if fit_in:
        head, mark, tail = tail.partition("/")
    elif not _LIKE_SIZE.fullmatch(head):
        return 0, 0, False, path
    found = _SIZE.fullmatch(head)
    if found is None:
        raise InvalidFilePath(
            f"Write the size as {LONGEST_SIDE}x{LONGEST_SIDE}, 0 where it is free"
        )
    width, height = map(_side, found.groups())
    return width, height, fit_in, _rest(mark, tail)


def _side(digits: str) -> int:
    significant = digits.lstrip("0")
    if len(significant) > len(str(LONGEST_SIDE)) or int(significant or 0) > LONGEST_SIDE:
        raise InvalidFilePath(f"A side of an image has at most {LONGEST_SIDE} pixels")
    return int(significant or 0)


def _rest(mark: str, tail: str) -> str:
    if not mark:
        raise InvalidFilePath("The path of an image ends with the key of a file")
    return tail


def _filters(path: str) -> tuple[list[tuple[str, str]], str]:
    """Names and arguments, in order, and what comes after them. Arguments may hold anything, also
    `/` and `:`, between brackets that match."""
    opening = _FILTERS.match(path)
    if opening is None:
        return [], path
    found: list[tuple[str, str]] = []
    at = opening.end()
    while True:
        name = _NAME.match(path, at)
        end = _closing(path, name.end()) if name else None
        if name is None or end is None:
            raise InvalidFilePath("Write filters as filters:quality(80):format(webp)")
        arguments = path[name.end() : end.start()]
        found.append((name[1], _ESCAPED.sub(_unescaped, arguments)))
        at = end.end()
        if path[at : at + 1] == "/":
            return found, path[at + 1 :]
        colon = _COLON.match(path, at)
        if colon is None:
            raise InvalidFilePath("After the filters comes a slash and the key of a file")
        at = colon.end()


def _closing(path: str, start: int) -> re.Match[str] | None:
    depth = 1
    for bracket in _BRACKET.finditer(path, start):
        depth += 1 if bracket[0] in ("(", "%28") else -1
        if depth == 0:
            return bracket
    return None


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


def _effects(filters: list[tuple[str, str]]) -> dict[str, Any]:
    """Fields of Instructions; later filters win, unknown ones do nothing."""
    found: dict[str, Any] = {}
    for name, arguments in filters:
        match name:
            case "quality":
                found["quality"] = _quality(arguments)
            case "format":
                if arguments not in FORMATS:
                    raise InvalidFileFormat("The format is one of webp, jpeg, png, gif, avif")
                found["format"] = FORMATS[arguments]
            case "blur":
                found["blur"] = _blur(arguments)
    return found


def _quality(arguments: str) -> int:
    match = _INTEGER.fullmatch(arguments)
    if match is None:
        raise InvalidFilePath("Write the quality as a whole number: quality(80)")
    sign, digits = match.groups()
    significant = digits.lstrip("0")
    is_beyond = len(significant) > len(str(_BEST_QUALITY))
    value = _BEST_QUALITY if is_beyond else int(significant or 0)
    return 1 if sign == "-" else min(max(value, 1), _BEST_QUALITY)


def _blur(arguments: str) -> tuple[float, float] | None:
    match = _BLUR.fullmatch(arguments)
    if match is None:
        raise InvalidFilePath("Write the blur as a radius, and a sigma if need be: blur(5,2.5)")
    radius, sigma = (_clamped(number) for number in match.groups("0"))
    return (radius, sigma or radius) if radius else None


def _clamped(number: str) -> float:
    """To hundredths of a pixel, so that a path and its canonical form are the same number."""
    if number.startswith("-"):
        return 0.0
    value = float(number) if len(number) <= _MOST_DIGITS else LARGEST_BLUR
    return round(min(value, LARGEST_BLUR), 2)
