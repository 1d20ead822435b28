"""Acknowledged means on disk: a committing process is killed again and again."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bkend.store import Exists, Find
from bkend.store.sqlite import SqliteDatabase
from tests.engines import Engine
from tests.store.committing import SUM
from tests.store.rows import THINGS, document, documents


@pytest.fixture
def engine() -> Engine:
    """These tests are about SQLite alone."""
    return "sqlite"


ROOT = Path(__file__).parents[2]
KILLS = 8


def commit_until_killed(directory: Path, round: int, seconds: float) -> list[tuple[str, str]]:
    """What a process acknowledged before it was killed, `seconds` after it began to commit."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.committing", str(directory), str(round)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        # A line without its end was cut off by the kill: its reader never had it.
        lines = [line for line in process.stdout if line.endswith("\n")]
        killer.join()
    assert process.wait() == -9
    return [(done, id) for done, _, id in (line.strip().partition(" ") for line in lines)]


async def what_is_stored(directory: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """All documents but the sum by id, and the sum; from files without a problem."""
    database = await SqliteDatabase.open(directory, serving=True)
    store = await database.environment("dev")
    assert await store.check_integrity() == []
    assert await database.control.check_integrity() == []
    page = await store.find(Find(THINGS, Exists(("pair",)), limit=1_000_000))
    found = documents(page)
    total = await document(store, SUM)
    assert total is not None
    assert len(found) == page.total
    await database.close()
    return {held["id"]: held for held in found}, total["pairs"]


async def test_a_killed_process_loses_nothing_it_acknowledged(directory: Path) -> None:
    chance = random.Random(7)
    added: set[str] = set()
    changed: set[str] = set()
    removed: set[str] = set()
    kinds = {"added": added, "changed": changed, "removed": removed}
    for round in range(KILLS):
        seconds = chance.uniform(0.05, 0.4)
        said = await asyncio.to_thread(commit_until_killed, directory, round, seconds)
        for kind, id in said:
            kinds[kind].add(id)
        stored, pairs = await what_is_stored(directory)
        ids = {held["pair"] for held in stored.values()}
        for id in ids:  # never half of a commit
            one, other = stored[f"{id}-a"], stored[f"{id}-b"]
            assert one["n"] == other["n"]
            assert one["double"] == other["double"] == 2 * one["n"]
        assert added - ids <= removed | last_turns(added)
        assert not removed & ids
        for id in changed & ids:
            assert stored[f"{id}-a"]["n"] < 0
        assert pairs >= len(added)
        assert pairs <= len(added) + 24 * (round + 1)
    assert len(added) > 100
    assert removed


def last_turns(ids: set[str]) -> set[str]:
    """Pairs whose removal may have been stored though nobody was told: every fifth."""
    return {id for id in ids if int(id.rpartition("-")[2]) % 5 == 0}
