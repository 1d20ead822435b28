"""Store work in a process with less power: as another user, or with a limit on file sizes.

`python -m tests.store.limited TASK` prints what happened as JSON. Root is bound by neither
permission bits nor a full disk of its own, so such a process gives its power away first.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bkend.store import Collection, Operation, StoreRefused, StoreUnavailable, Update
from bkend.store.sqlite import SqliteDatabase
from tests.store.rows import THINGS, document, find_ids, insert

ROOT = Path(__file__).parents[2]
NOBODY = 65534
Outcome = dict[str, Any]


def run_limited(task: str) -> Outcome:
    """Do the task in a process of its own and return what it reports."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, task],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome: Outcome = json.loads(done.stdout)
    return outcome


def give_up_root() -> None:
    """Become somebody whom permission bits bind."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def limit_files(size: int) -> None:
    """Let no file grow beyond the size: writing more fails as on a full disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


async def refusal(directory: Path) -> Outcome:
    try:
        await SqliteDatabase.open(directory, serving=True)
    except StoreRefused as error:
        return {"refused": str(error)}
    return {"refused": "nothing"}


async def read_only_directory(directory: Path) -> Outcome:
    directory.chmod(0o555)
    give_up_root()
    return await refusal(directory)


async def read_only_file(directory: Path) -> Outcome:
    database = await SqliteDatabase.open(directory, serving=True)
    await database.close()
    directory.chmod(0o777)
    for name in ("changes", "serve.lock"):
        (directory / name).unlink()
    (directory / "control.db").chmod(0o444)
    give_up_root()
    return await refusal(directory)


async def full_at_start(directory: Path) -> Outcome:
    limit_files(0)
    outcome = await refusal(directory)
    limit_files(resource.RLIM_INFINITY)
    return outcome


async def ping_on_a_full_disk(directory: Path) -> Outcome:
    database = await SqliteDatabase.open(directory, serving=True)
    outcome = {"refused": "nothing", "with room again": "fine"}
    limit_files(0)
    try:
        await database.ping()
    except StoreUnavailable as error:
        outcome["refused"] = str(error)
    limit_files(resource.RLIM_INFINITY)
    await database.ping()
    await database.close()
    return outcome


async def fills_up(directory: Path, *, serving: bool = True) -> Outcome:
    """Write documents, each in two parts of one commit, until and after the disk is full."""
    database = await SqliteDatabase.open(directory, serving=serving)
    store = database.control
    await store.define(Collection(THINGS))
    await store.commit([insert("sum", {"n": 0})])
    limit_files(2_000_000)
    acknowledged, errors = [], []

    async def write(number: int) -> None:
        text = "x" * (50_000 if number % 2 else 500)
        pair: list[Operation] = [
            insert(f"a{number}", {"text": text}),
            insert(f"b{number}", {"text": text}),
            Update(THINGS, "sum", increment={"n": 1}),
        ]
        try:
            await store.commit(pair)
            acknowledged.append(number)
        except StoreUnavailable as error:
            errors.append(str(error))

    for start in range(0, 200, 5):
        await asyncio.gather(*(write(number) for number in range(start, start + 5)))
    held = set(await find_ids(store))
    total = await document(store, "sum")
    outcome: Outcome = {
        "error": errors[0],
        "acknowledged": len(acknowledged),
        "refused": len(errors),
        "found while full": len([id for id in held if id.startswith("a")]),
        "half stored": [
            number for number in range(200) if (f"a{number}" in held) != (f"b{number}" in held)
        ],
        "reads while full": total is not None and total["n"] == len(acknowledged),
    }
    limit_files(resource.RLIM_INFINITY)
    await write(1000)
    outcome["stored once there is room"] = acknowledged[-1] == 1000
    outcome["found in the end"] = (await document(store, "sum") or {})["n"]
    outcome["integrity"] = await store.check_integrity()
    await database.close()
    again = await SqliteDatabase.open(directory, serving=serving)
    outcome["found after a restart"] = (await document(again.control, "sum") or {})["n"]
    await again.close()
    return outcome


async def fills_up_for_a_command(directory: Path) -> Outcome:
    return await fills_up(directory, serving=False)


TASKS: dict[str, Callable[[Path], Coroutine[None, None, Outcome]]] = {
    "read-only directory": read_only_directory,
    "read-only file": read_only_file,
    "full at start": full_at_start,
    "ping on a full disk": ping_on_a_full_disk,
    "fills up": fills_up,
    "fills up for a command": fills_up_for_a_command,
}


def main() -> None:
    made = Path(tempfile.mkdtemp(prefix="limited-"))
    made.chmod(0o755)  # pytest's own directories are closed to whom we become
    directory = made / "data"
    directory.mkdir()
    child = os.fork()
    if child == 0:
        print(json.dumps(asyncio.run(TASKS[sys.argv[1]](directory))), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    for path in sorted(made.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    made.rmdir()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
