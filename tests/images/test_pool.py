"""The processes that transform: few, bounded, alone, and replaced when something is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bkend.images.pool import Busy, NoWorker, Pool, TookTooLong, WorkerLost
from bkend.images.worker import MOST_MEMORY
from tests.asgi import in_process
from tests.files.conftest import code
from tests.images.conftest import Gallery
from tests.images.pictures import jpeg, noisy, plain, seen

ASKED = {
    "width": 20,
    "height": 10,
    "fit_in": False,
    "smart": False,
    "quality": 80,
    "format": "png",
    "blur": None,
}


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    opened = Pool(1, tmp_path)
    yield opened
    await opened.close()
    assert opened.processes == []


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    source = tmp_path / "source"
    source.write_bytes(jpeg(noisy(100, 100)))
    target = str(tmp_path / "target")
    return {"source": str(source), "target": target, "asked": ASKED, "automatic": False}


def is_done(job: dict[str, Any]) -> bool:
    return seen(Path(job["target"]).read_bytes()).sides == (20, 10)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def stop(pid: int) -> None:
    """Hold a process up in whatever it does."""
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: is_stopped(pid))


async def test_no_process_before_the_first_image(tmp_path: Path) -> None:
    async with in_process(tmp_path / "data") as opened:
        assert opened.core.images.pool.processes == []
        assert not (tmp_path / "data" / "image-cache").exists()


async def test_a_process_does_job_after_job(pool: Pool, job: dict[str, Any]) -> None:
    assert await pool.run(job) == {"format": "png"}
    assert is_done(job)
    first = pool.processes
    assert "refused" in await pool.run({**job, "source": __file__})
    assert await pool.run(job) == {"format": "png"}
    assert pool.processes == first


async def test_a_process_is_ended_after_some_jobs(
    pool: Pool, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bkend.images.pool._JOBS", 2)
    await pool.run(job)
    [first] = pool.processes
    await pool.run(job)
    assert pool.processes == []
    await pool.run(job)
    assert pool.processes != [first]


async def test_a_process_that_rests_is_ended(
    pool: Pool, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bkend.images.pool._IDLE_SECONDS", 0.05)
    await pool.run(job)
    await until(lambda: pool.processes == [])
    assert await pool.run(job) == {"format": "png"}


async def test_a_process_killed_in_the_middle_is_replaced(pool: Pool, job: dict[str, Any]) -> None:
    await pool.run(job)
    Path(job["target"]).unlink()
    [first] = pool.processes
    await stop(first)
    running = asyncio.create_task(pool.run(job))
    await until(lambda: not pool._idle)
    os.kill(first, signal.SIGKILL)
    assert await running == {"format": "png"}
    assert is_done(job)
    assert pool.processes != [first]


async def test_a_process_killed_while_it_rests_is_replaced(pool: Pool, job: dict[str, Any]) -> None:
    await pool.run(job)
    [first] = pool.processes
    os.kill(first, signal.SIGKILL)
    assert await pool.run(job) == {"format": "png"}
    assert pool.processes != [first]


async def test_a_job_that_kills_two_processes_is_given_up(
    pool: Pool, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {**job, "asked": {"unknown": 1}}  # the process ends with a traceback
    with pytest.raises(WorkerLost):
        await pool.run(broken)
    assert pool.processes == []
    assert await pool.run(job) == {"format": "png"}


async def test_a_job_that_takes_too_long_is_ended(tmp_path: Path, job: dict[str, Any]) -> None:
    pool = Pool(1, tmp_path, seconds=1)
    await pool.run(job)
    [first] = pool.processes
    await stop(first)
    with pytest.raises(TookTooLong):
        await pool.run(job)
    await until(lambda: not Path(f"/proc/{first}").exists())
    assert await pool.run(job) == {"format": "png"}
    await pool.close()


async def test_a_job_that_nobody_waits_for_is_ended(pool: Pool, job: dict[str, Any]) -> None:
    await pool.run(job)
    [first] = pool.processes
    await stop(first)
    running = asyncio.create_task(pool.run(job))
    await until(lambda: not pool._idle)
    running.cancel()
    await asyncio.wait([running])
    await until(lambda: not Path(f"/proc/{first}").exists())
    assert await pool.run(job) == {"format": "png"}


async def test_a_process_that_cannot_start(
    pool: Pool, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for executable in ("/bin/false", "/nowhere/python"):
        with monkeypatch.context() as patched:
            patched.setattr("sys.executable", executable)
            with pytest.raises(NoWorker):
                await pool.run(job)
    assert await pool.run(job) == {"format": "png"}


async def test_more_than_may_wait_are_turned_away(tmp_path: Path) -> None:
    pool = Pool(1, tmp_path, waiting=1)
    order: list[str] = []

    async def hold(name: str, until: asyncio.Event) -> None:
        async with pool.place():
            order.append(name)
            await until.wait()

    go_on = asyncio.Event()
    tasks = [asyncio.create_task(hold(name, go_on)) for name in ("first", "second")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await hold("third", go_on)
    assert order == ["first"]
    go_on.set()
    await asyncio.gather(*tasks)
    await hold("fourth", go_on)
    assert order == ["first", "second", "fourth"]


async def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bkend.images.pool._PATIENCE_SECONDS", 0.05)
    pool = Pool(1, tmp_path)
    async with pool.place():
        with pytest.raises(Busy):
            async with pool.place():
                raise AssertionError
    async with pool.place():
        pass


async def test_a_process_knows_nothing_of_the_server(
    tmp_path: Path, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BKEND_SECRET", "hush" * 20)
    monkeypatch.setenv("BKEND_DATABASE_URL", "postgresql://u:hush@h/d")
    pool = Pool(1, tmp_path)
    with open(tmp_path / "opened", "wb") as file:
        os.set_inheritable(file.fileno(), True)
        await pool.run(job)
        [pid] = pool.processes
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        opened = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert b"hush" not in environment
    assert b"BKEND_" not in environment
    assert not any("opened" in name for name in opened)
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert f"Max address space         {MOST_MEMORY}" in limits
    assert os.getsid(pid) == pid
    await pool.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_that_is_busy_says_so(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await gallery.key(jpeg(plain(9, 9)))
    full = Pool(1, tmp_path, waiting=0)
    async with full.place():
        with monkeypatch.context() as patched:
            patched.setattr(gallery.images, "pool", full)
            answer = await gallery.get(f"5x5/{key}")
    assert code(answer) == (503, "common/unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert (await gallery.get(f"5x5/{key}")).status_code == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_without_processes_what_is_kept_is_served(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await gallery.key(jpeg(plain(9, 9)))
    assert (await gallery.get(f"5x5/{key}")).status_code == 200

    async def fail(_: Any) -> Any:
        raise NoWorker

    monkeypatch.setattr(gallery.images.pool, "run", fail)
    assert (await gallery.get(f"5x5/{key}")).status_code == 200
    assert code(await gallery.get(f"5x6/{key}")) == (503, "common/unavailable")
