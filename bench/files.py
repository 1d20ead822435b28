"""Public files: GET of three sizes beside nginx and the server library alone, and uploads.

All serve the same bytes from the same disk, each with one process, and are driven in turns. What
nginx leaves to the kernel (`sendfile`) goes through the process here: the ratio tells the cost.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from bench import machine, wrk
from bench.client import Client
from bench.errors import BenchError
from bench.peers import nginx, plain
from bench.peers.bkend import Bkend
from bench.process import Server
from bench.report import Sheet
from bench.store import RESULTS
from bench.workloads import Traffic

SIZES = {"10 kB": 10_000, "1 MB": 1_000_000, "100 MB": 100_000_000}
_CONNECTIONS = {"10 kB": wrk.CONNECTIONS, "1 MB": 8, "100 MB": 2}
UPLOAD = 100_000_000
_PIECE = 256 * 1024
_WHOLE_MB = 1_000_000


@dataclass(frozen=True)
class Lane:
    """A server and where it has the files."""

    server: Server
    paths: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Figures:
    """The rounds of every server under every size; uploads in MB a second."""

    gets: Mapping[str, Mapping[str, list[wrk.Round]]]
    uploads: list[float]
    disk: list[float]


def measure(seconds: int, rounds: int, root: Path, console: Console) -> list[str]:
    """Measure, print a table, return the report as lines of Markdown."""
    wrk.require()
    if nginx.program() is None:
        console.print(nginx.MISSING, style="yellow")
    (root / "files").mkdir()
    for name, size in SIZES.items():
        with (root / "files" / _name(name)).open("wb") as file:
            for piece in _pieces(size):
                file.write(piece)
    peer = Bkend()
    peer.prepare(root / "bkend")
    with ExitStack() as stack:
        lanes = {"bkend": _own(peer, stack.enter_context(peer.start(root / "bkend")))}
        paths = {name: f"/{_name(name)}" for name in SIZES}
        alone = stack.enter_context(plain.start(root / "files", root / "plain"))
        lanes[plain.NAME] = Lane(alone, paths, {})
        if nginx.program() is not None:
            lanes[nginx.NAME] = Lane(stack.enter_context(nginx.start(root)), paths, {})
        figures = _figures(lanes, seconds, rounds, root, console)
    sheets = [_gets(figures), _uploads(figures)]
    for sheet in sheets:
        table = Table(title=sheet.title, title_justify="left")
        for column in sheet.head:
            table.add_column(column)
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    return _markdown(sheets, seconds, rounds, root)


def save(lines: list[str], slug: str) -> Path:
    """Write the report beside the others."""
    path = RESULTS / f"{datetime.now(UTC).date().isoformat()}-{slug}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


# -- measuring ---------------------------------------------------------------------------------


def _own(peer: Bkend, server: Server) -> Lane:
    """Upload and register the files, for everybody to see."""
    client = Client(server.port, peer.secret_headers())
    paths = {}
    for name, size in SIZES.items():
        made = client.call("POST", "/v1/files/presigned-url", _wanted(size))
        _put(made["url"], size)
        client.call("POST", f"/v1/files/{made['fileId']}/complete")
        paths[name] = urlsplit(made["url"]).path
    client.close()
    return Lane(server, paths, peer.secret_headers())


def _figures(
    lanes: Mapping[str, Lane], seconds: int, rounds: int, root: Path, console: Console
) -> Figures:
    gets: dict[str, dict[str, list[wrk.Round]]] = {name: {} for name in SIZES}
    for size in SIZES:
        drivers = {
            name: wrk.Driver(Traffic({}, [lane.paths[size]]), root / "wrk" / f"{name}-{size}")
            for name, lane in lanes.items()
        }
        for number in range(rounds):
            console.print(f"GET {size}: round {number + 1} of {rounds}")
            for name, lane in lanes.items():
                found = drivers[name].run(
                    lane.server.port,
                    seconds=seconds,
                    seed=number,
                    connections=_CONNECTIONS[size],
                )
                gets[size].setdefault(name, []).append(found)
                lane.server.settle()
    own, uploads, disk = lanes["bkend"], [], []
    client = Client(own.server.port, own.headers)
    for number in range(rounds):
        console.print(f"upload: round {number + 1} of {rounds}")
        made = client.call("POST", "/v1/files/presigned-url", _wanted(UPLOAD))
        uploads.append(UPLOAD / _timed(partial(_put, made["url"], UPLOAD)) / _WHOLE_MB)
        disk.append(UPLOAD / _timed(partial(_write, root / "written")) / _WHOLE_MB)
    client.close()
    return Figures(gets, uploads, disk)


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _put(url: str, size: int) -> None:
    at = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", at.port or 80, timeout=120)
    connection.request("PUT", f"{at.path}?{at.query}", _pieces(size), {"Content-Length": str(size)})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise BenchError(f"an upload was answered {answer.status}: {body[:300]!r}")


def _write(path: Path) -> None:
    """What an upload cannot do without: the digest, the bytes, their way to the disk."""
    digest = hashlib.md5()
    with path.open("wb") as file:
        for piece in _pieces(UPLOAD):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _pieces(size: int) -> Iterator[bytes]:
    piece = os.urandom(_PIECE)
    for start in range(0, size, _PIECE):
        yield piece[: min(_PIECE, size - start)]


def _wanted(size: int) -> dict[str, object]:
    return {
        "filename": "bench.bin",
        "contentType": "application/octet-stream",
        "fileSize": size,
        "visibility": "public",
    }


def _name(size: str) -> str:
    return size.replace(" ", "")


# -- reporting ---------------------------------------------------------------------------------


def _gets(figures: Figures) -> Sheet:
    rows = []
    for size, found in figures.gets.items():
        speeds = {
            name: median(one.megabytes_per_second for one in rounds)
            for name, rounds in found.items()
        }
        for name, rounds in found.items():
            slowest = min(one.megabytes_per_second for one in rounds)
            fastest = max(one.megabytes_per_second for one in rounds)
            share = speeds["bkend"] / speeds[name]
            rows.append(
                (
                    f"GET {size}",
                    name,
                    f"{median(one.requests_per_second for one in rounds):,.0f}",
                    f"{speeds[name]:,.0f} ({slowest:,.0f} to {fastest:,.0f})",
                    f"{median(one.p99_ms for one in rounds):,.1f}",
                    "" if name == "bkend" else f"{share:.2f}",
                )
            )
    head = ("", "server", "requests/s", "MB/s", "p99 ms", "bkend against it")
    return Sheet("Public files", head, rows)


def _uploads(figures: Figures) -> Sheet:
    upload, disk = median(figures.uploads), median(figures.disk)
    rows = [
        ("PUT 100 MB", f"{upload:,.0f}", f"{upload / disk:.2f}"),
        ("MD5, write and fsync alone", f"{disk:,.0f}", ""),
    ]
    return Sheet("Uploads, one at a time", ("", "MB/s", "share"), rows)


def _markdown(sheets: list[Sheet], seconds: int, rounds: int, root: Path) -> list[str]:
    found = machine.describe(root)
    beside = f"nginx {nginx.version()}" if nginx.program() else nginx.MISSING
    lines = [
        f"# Files, measured on {datetime.now(UTC).date().isoformat()}",
        "",
        f"{rounds} rounds of {seconds} s for each lane, in turns; the median, with the slowest and "
        f"the fastest round. {found.cpu}, {found.cores} cores, {found.filesystem}, fsync "
        f"{found.fsync_ms} ms. Client and servers share the cores. {beside}.",
    ]
    for sheet in sheets:
        lines += [
            "",
            f"## {sheet.title}",
            "",
            "| " + " | ".join(sheet.head) + " |",
            "|---" * len(sheet.head) + "|",
            *("| " + " | ".join(row) + " |" for row in sheet.rows),
        ]
    return lines
