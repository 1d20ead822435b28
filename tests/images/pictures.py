"""Pictures of every kind, made when they are asked for, and looking at what came of them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import pyvips

WEBP = {"Accept": "image/avif,image/webp,image/*;q=0.8"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
RED, GREEN, BLUE = [220, 30, 30], [30, 200, 60], [40, 60, 210]


@dataclass(frozen=True)
class Seen:
    """What a decoded picture turns out to be."""

    format: str
    width: int
    height: int
    frames: int
    image: pyvips.Image

    @property
    def sides(self) -> tuple[int, int]:
        return self.width, self.height

    def at(self, x: int, y: int) -> list[float]:
        """The bands of a pixel."""
        return list(self.image.getpoint(x, y))

    def is_like(self, x: int, y: int, colour: list[int], within: float = 40) -> bool:
        found = self.at(x, y)[:3]
        return all(abs(a - b) <= within for a, b in zip(found, colour, strict=True))


def seen(content: bytes) -> Seen:
    """Decode a picture, all frames of it."""
    first = pyvips.Image.new_from_buffer(content, "")
    frames = int(first.get("n-pages")) if first.get_typeof("n-pages") else 1
    loader = str(first.get("vips-loader"))
    image = pyvips.Image.new_from_buffer(content, "n=-1") if frames > 1 else first
    names = {"jpeg": "jpeg", "png": "png", "webp": "webp", "gif": "gif", "heif": "avif"}
    [format_] = [name for word, name in names.items() if loader.startswith(word)]
    return Seen(format_, first.width, first.height, frames, image)


def plain(width: int, height: int, colour: list[int] = RED) -> pyvips.Image:
    black = pyvips.Image.black(width, height)
    image = (black + [float(band) for band in colour]).cast("uchar")
    return image.copy(interpretation="srgb")


def halves(width: int, height: int, left: list[int] = RED, right: list[int] = BLUE) -> pyvips.Image:
    half = width // 2
    return plain(half, height, left).join(plain(width - half, height, right), "horizontal")


def noisy(width: int, height: int) -> pyvips.Image:
    """Full of details, the same ones each time."""
    noise = pyvips.Image.gaussnoise(width, height, mean=128, sigma=60, seed=7).cast("uchar")
    return noise.bandjoin([noise.rot180(), noise.fliphor()]).copy(interpretation="srgb")


def see_through(width: int, height: int) -> pyvips.Image:
    """Blue, the right half transparent."""
    alpha = halves(width, height, [255, 0, 0], [0, 0, 0]).extract_band(0)
    return plain(width, height, BLUE).bandjoin(alpha)


def jpeg(image: pyvips.Image, **options: Any) -> bytes:
    return bytes(image.jpegsave_buffer(**options))


def png(image: pyvips.Image, **options: Any) -> bytes:
    return bytes(image.pngsave_buffer(**options))


def turned(image: pyvips.Image, orientation: int) -> bytes:
    """A JPEG that says in its metadata how it is to be held, and who made it."""
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Ada")
    return bytes(image.jpegsave_buffer(Q=95))


def animation(count: int = 3, width: int = 60, height: int = 40, kind: str = "gif") -> bytes:
    """Frames of red, green and blue in turns, 120 ms each; left of each a black stripe."""
    frames = []
    for number in range(count):
        frame = plain(width, height, [RED, GREEN, BLUE][number % 3])
        frames.append(frame.insert(plain(width // 6, height, [0, 0, 0]), 0, 0))
    joined = pyvips.Image.arrayjoin(frames, across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", height)
    joined.set_type(pyvips.GValue.array_int_type, "delay", [120] * count)
    joined.set_type(pyvips.GValue.gint_type, "loop", 0)
    is_gif = kind == "gif"
    return bytes(joined.gifsave_buffer() if is_gif else joined.webpsave_buffer(lossless=True))


def claimed_png(width: int, height: int) -> bytes:
    """A few bytes that say they are so large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"\x78\x9c\x03\x00")


def zeros_png(width: int, height: int) -> bytes:
    """A whole PNG of black pixels, a thousandth of the memory it unfolds to."""
    row = bytes(1 + width)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
