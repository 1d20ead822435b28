"""A process that adds and removes documents through a store of its own, and says each one.

`python -m tests.store.postgres.counting URL NAME` prints `ready`, then, after each acknowledged
commit, `+` or `-`; it waits for a line on its input before the next.
"""

from __future__ import annotations

import asyncio
import sys

from bkend.store import Delete
from bkend.store.postgres import Options, PostgresDatabase
from tests.store.rows import THINGS, insert


async def main() -> None:
    url, name = sys.argv[1:]
    database = await PostgresDatabase.open(Options(url), serving=True)
    store = await database.environment("dev")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    turn = 0
    while await loop.run_in_executor(None, sys.stdin.readline):
        turn += 1
        if turn % 3:
            await store.commit([insert(f"{name}-{turn}", {"v": turn % 2})])
        else:
            await store.commit([Delete(THINGS, f"{name}-{turn - 1}")])
        sys.stdout.write("+\n" if turn % 3 else "-\n")
        sys.stdout.flush()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
