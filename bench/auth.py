"""Signing in beside reading: what each reaches alone, and what they leave each other.

Hashing a password is meant to be slow, so sign-ins are held against the bare rate of the pool that
hashes, and reads while people sign in against reads alone.
"""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import machine, wrk
from bench.client import Client, post_all
from bench.documents import documents
from bench.peers.bkend import Bkend
from bench.process import Server
from bench.report import Sheet
from bench.store import RESULTS
from bench.workloads import Traffic, Workload, traffic
from bkend.auth.passwords import PasswordHasher

USERS = 64
DOCUMENTS = 2_000
PASSWORD = "correct horse"
SIGNING_IN = 8
"""Connections that sign in while others read."""
LEAST_SHARE_OF_HASHING = 0.8
LEAST_SHARE_OF_READS = 0.8
MOST_TIMES_P99 = 3.0


@dataclass(frozen=True)
class Figures:
    """Requests a second; times in milliseconds."""

    me: wrk.Round
    hashes: float
    sign_ins: wrk.Round
    reads: wrk.Round
    reads_beside: wrk.Round
    sign_ins_beside: wrk.Round


def measure(seconds: int, root: Path, console: Console) -> list[str]:
    """Measure, print a table, return the report as lines of Markdown."""
    wrk.require()
    peer = Bkend()
    directory = root / "bkend"
    peer.prepare(directory)
    with peer.start(directory) as server:
        console.print("loading documents and users …")
        peer.fill(server, list(documents(DOCUMENTS)), lambda more: None)
        figures = _figures(_Lanes(peer, server, root / "wrk", seconds), console)
    sheet = _sheet(figures)
    table = Table(title=sheet.title, title_justify="left")
    for name in sheet.head:
        table.add_column(name)
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)
    return _markdown(sheet, seconds, root)


def save(lines: list[str], slug: str) -> Path:
    """Write the report beside the others."""
    path = RESULTS / f"{datetime.now(UTC).date().isoformat()}-{slug}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


# -- measuring ---------------------------------------------------------------------------------


class _Lanes:
    """The kinds of requests, each ready to be sent for some seconds."""

    def __init__(self, peer: Bkend, server: Server, directory: Path, seconds: int) -> None:
        self._server = server
        self._seconds = seconds
        at = peer.addresses()
        people = [
            {"email": f"user{number}@example.com", "password": PASSWORD, "name": "User"}
            for number in range(USERS)
        ]
        tokens: list[str] = []
        post_all(
            lambda: Client(server.port, at.headers),
            "/v1/auth/email/signup",
            people,
            lambda answer: tokens.append(answer["accessToken"]),
        )
        bodies = [json.dumps({"email": one["email"], "password": PASSWORD}) for one in people]
        signed_in = {**at.headers, "Authorization": f"Bearer {tokens[0]}"}
        entry = Traffic(at.headers, (), "/v1/auth/email/signin", bodies, write_every=1)
        self._me = wrk.Driver(Traffic(signed_in, ["/v1/auth/me"]), directory / "me")
        self._sign_in = wrk.Driver(entry, directory / "sign-in")
        self._read = wrk.Driver(traffic(Workload.READ, at), directory / "read")

    def me(self) -> wrk.Round:
        """Who am I, with a token that the server has seen before."""
        return self._run(self._me)

    def sign_in(self, connections: int = wrk.CONNECTIONS) -> wrk.Round:
        """Sign-ins of all users in turn."""
        return self._run(self._sign_in, connections)

    def read(self) -> wrk.Round:
        """One document by a random id."""
        return self._run(self._read)

    def _run(self, driver: wrk.Driver, connections: int = wrk.CONNECTIONS) -> wrk.Round:
        return driver.run(self._server.port, seconds=self._seconds, seed=1, connections=connections)

    def hashes(self) -> float:
        """Checks a second that the pool does with nothing around it, in this process."""
        return asyncio.run(_bare_hashing(self._seconds))

    def both(self) -> tuple[wrk.Round, wrk.Round]:
        """Reads, and the sign-ins beside them."""
        with ThreadPoolExecutor(1) as beside:
            signing_in = beside.submit(self.sign_in, SIGNING_IN)
            reads = self.read()
            return reads, signing_in.result()


async def _bare_hashing(seconds: int) -> float:
    hasher = PasswordHasher()
    encoded = await hasher.hash(PASSWORD)
    started, done = time.perf_counter(), 0
    until = started + seconds

    async def check() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await hasher.verify(PASSWORD, encoded)
            done += 1

    await asyncio.gather(*(check() for _ in range(wrk.CONNECTIONS)))
    hasher.close()
    return done / (time.perf_counter() - started)


def _figures(lanes: _Lanes, console: Console) -> Figures:
    console.print("who am I …")
    me = lanes.me()
    console.print("the bare hash …")
    hashes = lanes.hashes()
    console.print("sign-ins …")
    sign_ins = lanes.sign_in()
    console.print("reads, alone and beside sign-ins …")
    reads = lanes.read()
    reads_beside, sign_ins_beside = lanes.both()
    return Figures(me, hashes, sign_ins, reads, reads_beside, sign_ins_beside)


# -- reporting ---------------------------------------------------------------------------------


def _sheet(figures: Figures) -> Sheet:
    hashing = figures.sign_ins.requests_per_second / figures.hashes
    reading = figures.reads_beside.requests_per_second / figures.reads.requests_per_second
    slower = figures.reads_beside.p99_ms / figures.reads.p99_ms
    rows = [
        ("who am I, known token", *_cells(figures.me), ""),
        ("check of a password, bare", f"{figures.hashes:,.0f}", "", ""),
        (
            "sign-in",
            *_cells(figures.sign_ins),
            _verdict(f"{hashing:.0%} of the bare check", hashing >= LEAST_SHARE_OF_HASHING),
        ),
        ("read by id, alone", *_cells(figures.reads), ""),
        (
            "read by id, beside sign-ins",
            *_cells(figures.reads_beside),
            _verdict(f"{reading:.0%} of alone", reading >= LEAST_SHARE_OF_READS)
            + ", "
            + _verdict(f"p99 {slower:.1f}×", slower <= MOST_TIMES_P99),
        ),
        ("sign-in, beside reads", *_cells(figures.sign_ins_beside), ""),
    ]
    return Sheet("Signing in beside reading", ("", "requests/s", "p99 ms", "held against"), rows)


def _cells(one: wrk.Round) -> tuple[str, str]:
    return f"{one.requests_per_second:,.0f}", f"{one.p99_ms:,.1f}"


def _verdict(figure: str, met: bool) -> str:
    return f"{figure} {'✓' if met else '✗'}"


def _markdown(sheet: Sheet, seconds: int, root: Path) -> list[str]:
    found = machine.describe(root)
    return [
        f"# Signing in beside reading, measured on {datetime.now(UTC).date().isoformat()}",
        "",
        f"{seconds} s for each lane. {found.cpu}, {found.cores} cores, {found.filesystem}, "
        f"fsync {found.fsync_ms} ms. Client and server share the cores.",
        "",
        "| " + " | ".join(sheet.head) + " |",
        "|---" * len(sheet.head) + "|",
        *("| " + " | ".join(row) + " |" for row in sheet.rows),
        "",
        f"Targets: sign-ins reach {LEAST_SHARE_OF_HASHING:.0%} of the bare check; reads keep "
        f"{LEAST_SHARE_OF_READS:.0%} of their rate, and their p99 grows at most "
        f"{MOST_TIMES_P99:g}-fold, while {SIGNING_IN} connections sign in.",
    ]
