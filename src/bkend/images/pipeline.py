"""Decoding, scaling, cropping, converting: what a process of the pool does with one picture.

Runs in those processes only: libvips never reads a file of somebody else's inside the server.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pyvips

from bkend.images.cropping import Box, box_of
from bkend.images.formats import CONVERTED, SNIFFED, Format, sniff
from bkend.images.instructions import Instructions
from bkend.images.sizing import Sizing, sizing

MOST_PIXELS = 50_000_000
"""Of a picture, before and after."""
MOST_PIXELS_OF_FRAMES = 200_000_000
"""Of all frames of an animation together, before."""
_LONGEST: dict[Format, int] = {
    "webp": 16_383,
    "jpeg": 65_500,
    "png": 1_000_000,
    "gif": 65_535,
    "avif": 16_384,
}
"""Side that the format can have."""
_ANIMATED = frozenset({"gif", "webp"})
_TURNED = frozenset({5, 6, 7, 8})
_LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Heif")
_WHITE = [255.0]
_NOTHING = 0
"""Of the metadata is kept."""
_KEPT = ("delay", "loop", "background", "gif-palette")
_AVIF_EFFORT = 1
_EFFORT, _LARGE_EFFORT = {"webp": 4, "gif": 7}, {"webp": 2, "gif": 3}
_LARGE = 4_000_000
"""Pixels from which on less effort is made (docs/decisions/013)."""
_LEAST = 0.01
"""Of the middle's weight, that a pixel of a blur has."""
_FINE = 4.0
"""A blur of a larger sigma is made on a smaller copy, where nobody sees the difference."""
_Image: TypeAlias = pyvips.Image


class Unfit(Exception):
    """The file cannot be made into this; the message is for the client."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What the first look at a file tells."""

    path: Path
    format: Format
    width: int
    height: int
    frames: int

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.width * self.height


def prepare() -> None:
    """Once in a process: only loaders of the five formats, no threads, nothing kept."""
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    pyvips.cache_set_max(0)
    pyvips.concurrency_set(1)


def transform(path: Path, target: Path, asked: Instructions, *, automatic: bool) -> Format:
    """Write the picture at `path`, as asked, to `target`; its format. `automatic`: JPEG and PNG
    become WebP where no format is asked for. Raises Unfit."""
    try:
        source = _look(path)
        format_ = asked.format or source.format
        plan = sizing(source.width, source.height, asked)
        fits_webp = max(plan.result) <= _LONGEST["webp"]
        if automatic and asked.format is None and source.format in CONVERTED and fits_webp:
            format_ = "webp"
        frames = source.frames if format_ == source.format and format_ in _ANIMATED else 1
        crops_first = frames == 1 and plan.crop is not None and _pixels(plan) > source.pixels
        _check(source, plan.cropped if crops_first else plan, frames, format_)
        image = _made(source, plan, frames, asked, crops_first=crops_first)
        _save(image, target, format_, asked.quality)
    except pyvips.Error:
        raise Unfit("The file is damaged, or no picture that can be read") from None
    return format_


def _made(
    source: _Source, plan: Sizing, frames: int, asked: Instructions, *, crops_first: bool
) -> _Image:
    if crops_first:
        image = _scaled(source, Sizing(source.width, source.height), frames).copy_memory()
        return _finished(_cropped(image, plan, asked).copy_memory(), None, asked)
    image = _scaled(source, plan, frames)
    if plan.crop is None and asked.blur is None:
        return image
    image = image.copy_memory()  # the file is read from top to bottom, and once
    if frames > 1:
        return _each_frame(image, plan, asked)
    return _finished(image, _box(image, plan, asked), asked)


def _look(path: Path) -> _Source:
    with open(path, "rb") as file:
        found = sniff(file.read(SNIFFED))
    if found is None:
        raise Unfit("The file is no JPEG, PNG, GIF, WebP or AVIF picture")
    header = pyvips.Image.new_from_source(_opened(path), "", access="sequential")
    width, height = header.width, header.height
    if _field(header, "orientation", 1) in _TURNED:
        width, height = height, width
    frames = _field(header, "n-pages", 1) if found in _ANIMATED else 1
    return _Source(path, found, width, height, frames)


def _opened(path: Path) -> Any:
    return pyvips.Source.new_from_file(str(path))


def _field(image: _Image, name: str, otherwise: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else otherwise


def _check(source: _Source, plan: Sizing, frames: int, format_: Format) -> None:
    """Raises Unfit for what would take too much."""
    width, height = plan.result
    largest = max(source.pixels, _pixels(plan) * frames)
    if largest > MOST_PIXELS or source.pixels * frames > MOST_PIXELS_OF_FRAMES:
        raise Unfit("The picture has more than 50 megapixels")
    if max(width, height) > _LONGEST[format_]:
        raise Unfit(f"No {format_} picture can have {width}x{height} pixels")


def _pixels(plan: Sizing) -> int:
    return plan.width * plan.height


def _scaled(source: _Source, plan: Sizing, frames: int) -> _Image:
    """The picture upright, in sRGB, scaled while it is decoded; frames stand below each other."""
    options = ["fail_on=error"]  # its own `fail_on` does not reach the loader
    if source.format in _ANIMATED:
        options.append(f"n={frames}")
    image = pyvips.Image.thumbnail_source(
        _opened(source.path),
        plan.width,
        height=plan.height,
        size="force",
        output_profile="srgb",
        option_string=",".join(options),
    )
    if image.interpretation not in ("srgb", "b-w"):
        image = image.colourspace("srgb")
    return image if image.format == "uchar" else image.cast("uchar")


def _cropped(image: _Image, plan: Sizing, asked: Instructions) -> _Image:
    """A picture that is enlarged: cropped to the shape of the result first, so that a narrow one
    never becomes huge, then scaled."""
    assert plan.crop is not None
    width, height = plan.crop
    factor = min(image.width / width, image.height / height)
    shape = max(1, round(width * factor)), max(1, round(height * factor))
    box = box_of(image, *shape, smart=asked.smart)
    return box.of(image).thumbnail_image(width, height=height, size="force")


def _finished(image: _Image, box: Box | None, asked: Instructions) -> _Image:
    """A frame cropped and blurred."""
    if box is not None:
        image = box.of(image)
    return image if asked.blur is None else _blurred(image, *asked.blur)


def _box(frame: _Image, plan: Sizing, asked: Instructions) -> Box | None:
    return None if plan.crop is None else box_of(frame, *plan.crop, smart=asked.smart)


def _each_frame(image: _Image, plan: Sizing, asked: Instructions) -> _Image:
    """The same of all frames, cropped where the details of the first are."""
    high = _field(image, "page-height", image.height)
    frames = [image.crop(0, top, image.width, high) for top in range(0, image.height, high)]
    box = _box(frames[0], plan, asked)
    done = [_finished(frame, box, asked).copy_memory() for frame in frames]
    joined = pyvips.Image.arrayjoin(done, across=1).copy()
    for name in _KEPT:
        if image.get_typeof(name):
            joined.set_type(image.get_typeof(name), name, image.get(name))
    joined.set_type(pyvips.GValue.gint_type, "page-height", done[0].height)
    joined.set_type(pyvips.GValue.gint_type, "n-pages", len(done))
    return joined


def _blurred(image: _Image, radius: float, sigma: float) -> _Image:
    """A Gaussian that ends at the radius; transparent pixels give no colour to their neighbours."""
    factor = max(1.0, min(sigma, radius) / _FINE)
    width, height = image.width, image.height
    has_alpha = image.hasalpha()
    if has_alpha:
        image = image.premultiply()
    if factor > 1:
        small = max(1, round(width / factor)), max(1, round(height / factor))
        image = _resized(image, *small)
    sigma, radius = sigma / factor, radius / factor
    end = max(math.exp(-((radius + 0.5) ** 2) / (2 * sigma**2)), _LEAST)
    image = image.gaussblur(sigma, min_ampl=end)
    if factor > 1:
        image = _resized(image, width, height)
    if has_alpha:
        image = image.unpremultiply()
    return image.cast("uchar")


def _resized(image: _Image, width: int, height: int) -> _Image:
    return image.resize(width / image.width, vscale=height / image.height, kernel="linear")


def _save(image: _Image, target: Path, format_: Format, quality: int) -> None:
    writer = pyvips.Target.new_to_file(str(target))
    if format_ == "jpeg" and image.hasalpha():
        image = image.flatten(background=_WHITE)
    effort = _LARGE_EFFORT if image.width * image.height > _LARGE else _EFFORT
    savers: dict[Format, Callable[..., Any]] = {
        "jpeg": partial(image.jpegsave_target, Q=quality, optimize_coding=True),
        "webp": partial(image.webpsave_target, Q=quality, effort=effort["webp"]),
        "png": image.pngsave_target,
        "gif": partial(image.gifsave_target, effort=effort["gif"]),
        "avif": partial(
            image.heifsave_target, Q=quality, compression="av1", effort=_AVIF_EFFORT, bitdepth=8
        ),
    }
    savers[format_](writer, keep=_NOTHING)
