"""Files made to do harm get 400 `file/invalid-format`, and the next picture is made as ever."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.files.conftest import code
from tests.images.conftest import Gallery
from tests.images.pictures import (
    SVG,
    animation,
    claimed_png,
    halves,
    jpeg,
    noisy,
    png,
    zeros_png,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = (400, "file/invalid-format")


def gif_of(frames: int, width: int, height: int) -> bytes:
    """Frames of one pixel on a canvas of that size: some bytes each."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    delay = b"\x21\xf9\x04\0\x0a\0\0\0"
    frame = delay + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b"\x3b"


def claimed_jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose header says that it is so large."""
    made = bytearray(jpeg(halves(16, 16)))
    at = made.index(b"\xff\xc0")
    made[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(made)


MIXED = noisy(200, 150)
WHOLE = {
    "jpeg": jpeg(MIXED),
    "progressive jpeg": jpeg(MIXED, interlace=True),
    "png": png(MIXED),
    "interlaced png": png(MIXED, interlace=True),
    "webp": MIXED.webpsave_buffer(),
    "gif": animation(4),
    "avif": MIXED.heifsave_buffer(compression="av1"),
}
HOSTILE = {
    "text": b"Just some text, named .png",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": SVG,
    "svg behind a magic number": b"\x89PNG\r\n\x1a\n" + SVG,
    "pdf": b"%PDF-1.4\n1 0 obj<<>>endobj trailer<<>>",
    "bmp": b"BM" + bytes(200),
    "tiff": b"II*\0" + bytes(200),
    "ppm": b"P6 2 2 255\n" + bytes(12),
    "vips": bytes.fromhex("08f2a6b6") + bytes(100),
    "a script of ImageMagick": b"push graphic-context\nimage over 0,0 0,0 'https://x/y'\n",
    "one byte": b"x",
    "only a magic number of jpeg": b"\xff\xd8\xff",
    "only a magic number of png": b"\x89PNG\r\n\x1a\n",
    "only a magic number of gif": b"GIF89a",
    "only a magic number of webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "only a magic number of avif": b"\0\0\0\x20ftypavif",
    "heic without a picture": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(50),
    "png claims 60000x60000": claimed_png(60_000, 60_000),
    "png claims all there is": claimed_png(2**31 - 1, 2**31 - 1),
    "png claims nothing": claimed_png(0, 0),
    "jpeg claims 65500x65500": claimed_jpeg(65_500, 65_500),
    "png of 56 megapixels": zeros_png(8000, 7000),
}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _unharmed(gallery: Gallery) -> AsyncIterator[None]:
    yield
    key = await gallery.key(jpeg(halves(60, 40)))
    assert (await gallery.seen(f"30x20/{key}")).sides == (30, 20)
    assert list((gallery.cache / "tmp").iterdir()) == []


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_picture_or_too_large_a_one(gallery: Gallery, name: str) -> None:
    key = await gallery.key(HOSTILE[name], "image/png")
    for path in (f"30x20/{key}", f"filters:format(webp)/{key}"):
        answer = await gallery.get(path)
        assert code(answer) == REFUSED
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("name", WHOLE)
async def test_a_picture_that_ends_too_early(gallery: Gallery, name: str) -> None:
    whole = WHOLE[name]
    assert (await gallery.get(f"30x20/{await gallery.key(whole)}")).status_code == 200
    for share in (0.1, 0.5, 0.9):
        answer = await gallery.get(f"30x20/{await gallery.key(whole[: int(len(whole) * share)])}")
        has_frames = name == "gif" and share > 0.1  # those before the cut are whole
        assert (answer.status_code == 200) is has_frames, share
        assert has_frames or code(answer) == REFUSED, share


async def test_an_animation_of_small_parts_on_a_large_canvas(gallery: Gallery) -> None:
    key = await gallery.key(gif_of(300, 1000, 1000), "image/gif")
    assert code(await gallery.get(f"30x20/{key}")) == REFUSED
    assert (await gallery.seen(f"30x20/filters:format(png)/{key}")).frames == 1
    small = await gallery.key(gif_of(30, 1000, 1000), "image/gif")
    assert (await gallery.seen(f"30x20/{small}")).sides == (30, 20)
    for side in (3000, 65_535):
        answer = await gallery.get(f"30x20/{await gallery.key(gif_of(9, side, side))}")
        assert answer.status_code in (200, 400)


async def test_just_under_the_limit_of_pixels(gallery: Gallery) -> None:
    key = await gallery.key(zeros_png(8000, 6250), "image/png")
    assert (await gallery.seen(f"fit-in/80x0/{key}")).sides == (80, 63)


async def test_a_file_that_is_too_large(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    content = jpeg(halves(60, 40))
    key = await gallery.key(content)
    monkeypatch.setattr("bkend.images.service.LARGEST_SOURCE", len(content) - 1)
    assert code(await gallery.get(f"30x20/{key}")) == REFUSED
    monkeypatch.setattr("bkend.images.service.LARGEST_SOURCE", len(content))
    assert (await gallery.get(f"30x20/{key}")).status_code == 200


async def test_no_answer_is_larger_than_the_limit(gallery: Gallery) -> None:
    key = await gallery.key(png(halves(10, 1000)), "image/png")
    assert code(await gallery.get(f"4096x0/{key}")) == REFUSED
    frames = await gallery.key(animation(30), "image/gif")
    assert code(await gallery.get(f"4096x4096/{frames}")) == REFUSED


@pytest.mark.parametrize("name", WHOLE)
async def test_damaged_bytes_do_no_harm(gallery: Gallery, name: str) -> None:
    chance = random.Random(7)
    for _ in range(8):
        damaged = bytearray(WHOLE[name])
        for _ in range(chance.choice((1, 20, 200))):
            damaged[chance.randrange(20, len(damaged))] = chance.randrange(256)
        answer = await gallery.get(f"30x20/smart/{await gallery.key(bytes(damaged))}")
        assert answer.status_code in (200, 400)
        assert answer.status_code == 200 or code(answer) == REFUSED
