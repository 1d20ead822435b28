"""Kills a serving process under concurrent writes, again and again, and looks what is left.

The promise under test: what was acknowledged is on disk. After every kill the server is started
anew and asked for all that the round wrote; now and then, and at the end, its files are checked.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bkend.store.sqlite import SqliteDatabase
from tests.crash.ledger import Ledger
from tests.crash.writers import PASSWORD, TABLE, Writers
from tests.servers import RunningServer

TABLES = """
version: 1
tables:
  records:
    fields:
      name: {type: string, required: true, unique: true}
      n: {type: number, required: true}
      double: {type: number}
    indexes:
      - {name: by_n, fields: {n: 1, createdAt: -1}}
    permissions: {}
"""
SHORTEST, LONGEST = 0.05, 0.4
KILLS_BETWEEN_CHECKS = 5


@dataclass
class Report:
    """What a run saw; it went well when `problems` is empty."""

    kills: int = 0
    acknowledged_writes: int = 0
    acknowledged_users: int = 0
    unanswered: int = 0
    integrity_checks: int = 0
    slowest_start_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.acknowledged_writes} acknowledged writes and "
            f"{self.acknowledged_users} sign-ups, {self.unanswered} unanswered, "
            f"{self.integrity_checks} integrity checks, slowest start "
            f"{self.slowest_start_seconds:.1f} s, {len(self.problems)} problems"
        )


def run(kills: int, seed: int = 1, report: Callable[[str], None] = print) -> Report:
    """Kill a server of its own `kills` times; `report` hears a line of progress now and then."""
    with tempfile.TemporaryDirectory(prefix="bkend-crash-") as directory:
        crash = _Crash(Path(directory), random.Random(seed), report)
        try:
            for number in range(1, kills + 1):
                crash.kill_once(number)
            crash.finish()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{crash.server.log[-5000:]}") from error
        finally:
            crash.server.stop()
    report(str(crash.report))
    return crash.report


class _Crash:
    """One run: a server, what its clients know, and what came of it."""

    def __init__(self, directory: Path, chance: random.Random, tell: Callable[[str], None]) -> None:
        self._chance = chance
        self._tell = tell
        self._records = Ledger()
        self.report = Report()
        self.server = RunningServer(directory)
        self.server.init()
        self.server.apply(TABLES)
        self._start()

    def kill_once(self, number: int) -> None:
        """Write, kill, start again, compare; check the files now and then."""
        round, records, users = f"r{number}", Ledger(), Ledger()
        writers = Writers(self.server, records, users)
        # Every other server lives until somebody has signed up, which takes longer than records.
        begun = writers.first_answer if number % 2 else writers.first_sign_up
        asyncio.run(self._write_and_kill(writers, round, begun))
        self.report.kills = number
        self.report.acknowledged_writes += records.acknowledged
        self.report.acknowledged_users += users.acknowledged
        self.report.unanswered += records.unanswered + users.unanswered
        if number % KILLS_BETWEEN_CHECKS == 0:
            self._check_files()
            self._tell(str(self.report))
        self._start()
        self.report.problems.extend(records.broken_promises(self._rows({"round": round})))
        self.report.problems.extend(self._broken_sign_ups(users))
        self._records.add(records)

    def finish(self) -> None:
        """Compare everything ever written, and check the files of the stopped server."""
        self.report.problems.extend(self._records.broken_promises(self._rows({})))
        if self.server.stop() != 0:
            self.report.problems.append("the last server did not end in order")
        self._check_files()

    async def _write_and_kill(self, writers: Writers, round: str, begun: asyncio.Event) -> None:
        writing = asyncio.create_task(writers.run(round))
        began = asyncio.create_task(begun.wait())
        await asyncio.wait({writing, began}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({writing}, timeout=self._chance.uniform(SHORTEST, LONGEST))
        self.server.kill()
        began.cancel()
        await writing

    def _start(self) -> None:
        before = time.monotonic()
        self.server.start()
        seconds = time.monotonic() - before
        self.report.slowest_start_seconds = max(self.report.slowest_start_seconds, seconds)

    # -- looking ------------------------------------------------------------------------------

    def _rows(self, which: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """All records that the filter names, page by page."""
        filters = orjson.dumps(which).decode()
        with self.server.client(self.server.secret) as client:
            for page in itertools.count(1):
                parameters: dict[str, str | int] = {"limit": 100, "page": page, "sortBy": "name"}
                parameters["andFilters"] = filters
                answer = client.get(TABLE, params=parameters)
                assert answer.status_code == 200, answer.text
                yield from answer.json()["items"]
                if not answer.json()["pagination"]["hasNext"]:
                    return

    def _broken_sign_ups(self, users: Ledger) -> Iterator[str]:
        """Who was acknowledged can sign in; who was not can sign in or sign up, nothing between."""
        with self.server.client() as client:
            for email, known in users.records.items():
                body = {"email": email, "password": PASSWORD, "name": "Ada"}
                signed_in = client.post("/v1/auth/email/signin", json=body)
                if signed_in.status_code == 200:
                    continue
                if known.acknowledged is not None:
                    yield f"{email} was acknowledged and cannot sign in: {signed_in.text}"
                    continue
                signed_up = client.post("/v1/auth/email/signup", json=body)
                if signed_up.status_code != 201:
                    yield f"{email} can neither sign in nor sign up: {signed_up.text}"

    def _check_files(self) -> None:
        self.report.integrity_checks += 1
        self.report.problems.extend(asyncio.run(_problems_in(self.server.data)))


async def _problems_in(directory: Path) -> list[str]:
    """What SQLite finds wrong in the files of a stopped server."""
    database = await SqliteDatabase.open(directory, serving=True)
    try:
        stores = {"control": database.control}
        for file in (directory / "environments").glob("*.db"):
            stores[file.stem] = await database.environment(file.stem)
        assert len(stores) > 1
        return [
            f"{name}: {problem}"
            for name, store in stores.items()
            for problem in await store.check_integrity()
        ]
    finally:
        await database.close()
