"""A process that commits through the store from many tasks until it is killed.

`python -m tests.store.committing DIRECTORY ROUND` prints `ready`, then one line for each
acknowledged commit, after the acknowledgement.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bkend.store import Check, Collection, Delete, Equals, Index, Operation, Update
from bkend.store.sqlite import SqliteDatabase
from bkend.store.sqlite.store import SqliteStore
from tests.store.rows import THINGS, insert

TASKS = 24
SUM = "sum"


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def commit_on(store: SqliteStore, name: str) -> None:
    """Add pairs of documents, change and remove some, and count every pair in one sum."""
    turn = 0
    while True:
        turn += 1
        id = f"{name}-{turn}"
        pair: list[Operation] = [
            insert(f"{id}-a", {"pair": id, "n": turn, "double": 2 * turn, "text": "x" * 700}),
            insert(f"{id}-b", {"pair": id, "n": turn, "double": 2 * turn}),
            Update(THINGS, SUM, increment={"pairs": 1}),
            Check(THINGS, Equals(("pair",), id), 2, 2),
        ]
        await store.commit(pair)
        say("added", id)
        if turn % 3 == 0:
            changed = {"n": -turn, "double": -2 * turn}
            await store.commit([Update(THINGS, f"{id}-{which}", set=changed) for which in "ab"])
            say("changed", id)
        if turn % 5 == 0:
            await store.commit([Delete(THINGS, f"{id}-{which}") for which in "ba"])
            say("removed", id)


async def main() -> None:
    directory, round = Path(sys.argv[1]), sys.argv[2]
    database = await SqliteDatabase.open(directory, serving=True)
    store = await database.environment("dev")
    if store.collection(THINGS) is None:
        indexes = (Index("pair", (("pair", 1), ("n", 1))), Index("n", (("n", 1), ("id", 1)), True))
        await store.define(Collection(THINGS, indexes))
        await store.commit([insert(SUM, {"pairs": 0})])
    say("ready")
    await asyncio.gather(*(commit_on(store, f"{round}-{task}") for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main())
