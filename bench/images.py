"""Images beside the bytes they are made of: kept ones a second, and how many are made a second."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import httpx
import pyvips
from rich.console import Console

from bench import wrk
from bench.errors import BenchError
from bench.peers.bkend import Bkend
from bench.process import Server
from bench.workloads import Traffic

LEAST_SHARE = 0.7
"""Of the rate of bytes as they are, that kept images of the same size reach: those the server's
library sends by itself, these come from our memory."""
_SIDES = 4000, 3000
_WANTED = "300x200"
_ASKING = 8
_ROUNDS = 3


def measure(console: Console, count: int, seconds: int, root: Path) -> bool:
    """Print the figures; whether kept images reach their share. `count` images are made."""
    wrk.require()
    peer = Bkend()
    directory = root / "bkend"
    peer.prepare(directory)
    with peer.start(directory) as server:
        photo = _upload(server, peer.secret, _photo())
        made, bytes_of_one = _made(server, photo, count)
        console.print(f"made    {made:>8,.1f} a second, {_WANTED} WebP of a 12-megapixel JPEG")
        console.print(f"memory  {server.memory_mb():>8,.0f} MB, server and processes together")
        same = _upload(server, peer.secret, bytes_of_one)
        raw, kept = _rates(server, root, seconds, (f"/raw/{same}", f"/img/{_path(1)}{photo}"))
    share = kept / raw
    console.print(f"raw     {raw:>8,.0f} a second, {len(bytes_of_one):,} bytes each")
    console.print(f"kept    {kept:>8,.0f} a second, {share:.0%} of it (target {LEAST_SHARE:.0%})")
    return share >= LEAST_SHARE


def _photo() -> bytes:
    """Something like a photograph: soft shapes and some noise."""
    width, height = _SIDES
    soft = pyvips.Image.perlin(width, height, cell_size=256, uchar=True, seed=1)
    noise = pyvips.Image.gaussnoise(width, height, sigma=8, seed=2)
    bands = [soft.rot180(), soft.fliphor()]
    image = soft.bandjoin(bands) + noise
    return bytes(image.cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=90))


def _upload(server: Server, key: str, content: bytes) -> str:
    """A public file; its key."""
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/v1/files/upload",
        headers={"X-API-Key": key},
        data={"visibility": "public"},
        files={"file": ("photo.jpg", content, "image/jpeg")},
        timeout=60,
    )
    if answer.status_code != 201:
        raise BenchError(f"the upload answered {answer.status_code}: {answer.text[:300]}")
    found: str = answer.json()["s3Key"]
    return found


def _path(number: int) -> str:
    return f"{_WANTED}/filters:format(webp):quality({number % 100 + 1})/"


def _made(server: Server, key: str, count: int) -> tuple[float, bytes]:
    """Images made a second, and the bytes of one; the first, which starts a process, not counted.
    They differ in their quality only, so that none is kept yet."""

    def get(number: int) -> bytes:
        url = f"http://127.0.0.1:{server.port}/img/{_path(number)}{key}"
        answer = httpx.get(url, timeout=60)
        if answer.status_code != 200:
            raise BenchError(f"an image answered {answer.status_code}: {answer.text[:300]}")
        return answer.content

    with ThreadPoolExecutor(_ASKING) as asking:
        list(asking.map(get, (99, 98)))
        begun = perf_counter()
        list(asking.map(get, range(min(count, 98))))
        rate = min(count, 98) / (perf_counter() - begun)
    return rate, get(1)


def _rates(server: Server, root: Path, seconds: int, paths: tuple[str, str]) -> list[float]:
    """Requests a second of each, in turns; the best of some rounds."""
    drivers = [
        wrk.Driver(Traffic({}, [path]), root / f"lane{number}") for number, path in enumerate(paths)
    ]
    best = [0.0] * len(drivers)
    for seed in range(_ROUNDS):
        for number, driver in enumerate(drivers):
            found = driver.run(server.port, seconds=seconds, seed=seed)
            best[number] = max(best[number], found.requests_per_second)
    return best
