"""Another process on a data directory, as the command line is one.

`python -m tests.store.outside TASK DIRECTORY` opens it without serving and does one task.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from bkend.store.sqlite import SqliteDatabase
from bkend.store.sqlite.external import ChangeFile
from tests.store.rows import insert

ROOT = Path(__file__).parents[2]


class Outside:
    """The process, seen from the test that started it."""

    def __init__(self, task: str, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, task, str(directory)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def expect(self, word: str) -> None:
        """Wait until the process says the word."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        assert said == word, f"said {said!r} instead"

    def tell(self) -> None:
        """Let the process go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Close its input, which ends every task, and wait."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(30)


def say(word: str) -> None:
    print(word, flush=True)


async def commit(directory: Path) -> None:
    """Commit one document, and stay open for a while."""
    database = await SqliteDatabase.open(directory, serving=False)
    await database.control.commit([insert("theirs", {"v": True})])
    say("committed")
    sys.stdin.readline()
    await database.close()


async def hold(directory: Path) -> None:
    """Stop in the middle of a change until told to go on."""
    changes = ChangeFile(directory / "changes")
    with changes.changing():
        say("changing")
        sys.stdin.readline()
    say("done")


TASKS: dict[str, Callable[[Path], Awaitable[None]]] = {"commit": commit, "hold": hold}


async def main() -> None:
    await TASKS[sys.argv[1]](Path(sys.argv[2]))


if __name__ == "__main__":
    asyncio.run(main())
