"""Processes that transform pictures: few, started when they are needed, replaced when they fail."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

JOB_SECONDS = 60
"""A job takes no longer, or its process is ended."""
_START_SECONDS = 30
_IDLE_SECONDS = 120
_JOBS = 200
_WAITING = 64
_PATIENCE_SECONDS = 30.0
_PASSED = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")
_ATTEMPTS = 2

log = structlog.get_logger(__name__)


class Busy(Exception):
    """As many wait already as may, or as long as is sensible."""


class TookTooLong(Exception):
    """The job was not done in its time."""


class WorkerLost(Exception):
    """The process ended in the middle of the job."""


class NoWorker(Exception):
    """No process can be started."""


class Pool:
    """At most `size` processes; so many jobs at a time, and `waiting` more that wait.

    Processes are ended after some jobs, so that what libraries leak does not stay, and when they
    have had nothing to do for two minutes. `folder` is where they put what does not fit in memory.
    """

    def __init__(
        self, size: int, folder: Path, *, waiting: int = _WAITING, seconds: int = JOB_SECONDS
    ) -> None:
        self._places = asyncio.Semaphore(size)
        self._folder = folder
        self._seconds = seconds
        self._most_waiting = waiting
        self._waiting = 0
        self._idle: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def processes(self) -> list[int]:
        """The ids of those that live."""
        return [worker.pid for worker in self._workers]

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """To be held around `run` and what leads to it; raises Busy."""
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise Busy
        self._waiting += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Busy from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    async def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a process to the job. One that ends by itself is replaced, and the next
        one tries again, once. Raises TookTooLong, WorkerLost, NoWorker."""
        for attempt in range(_ATTEMPTS):
            worker = await self._take()
            try:
                answer = await worker.ask(job, self._seconds)
            except WorkerLost:
                self._drop(worker)
                if attempt + 1 == _ATTEMPTS:
                    raise
                continue
            except BaseException:  # too slow, or nobody waits for it any more
                self._drop(worker)
                raise
            self._give_back(worker)
            return answer
        raise AssertionError

    async def close(self) -> None:
        """End all processes."""
        for worker in list(self._workers):
            self._drop(worker)
        await asyncio.gather(*self._ending)

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            worker.rest(None)
            if worker.lives:
                return worker
            self._drop(worker)
        worker = await _Worker.start(self._folder)
        self._workers.add(worker)
        return worker

    def _give_back(self, worker: _Worker) -> None:
        if worker.jobs >= _JOBS:
            self._drop(worker)
            return
        self._idle.append(worker)
        loop = asyncio.get_running_loop()
        worker.rest(loop.call_later(_IDLE_SECONDS, self._drop, worker))

    def _drop(self, worker: _Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        if worker in self._workers:
            self._workers.remove(worker)
            task = asyncio.create_task(worker.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Worker:
    """One process, which has said that it is ready."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._timer: asyncio.TimerHandle | None = None
        self.jobs = 0

    @classmethod
    async def start(cls, folder: Path) -> _Worker:
        """A new process; raises NoWorker."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-s", "-m", "bkend.images.worker"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_environment(folder),
                cwd=folder,
                start_new_session=True,  # a Ctrl-C in the terminal is the server's matter
            )
        except OSError as error:
            log.error("no process for images", reason=str(error))
            raise NoWorker from error
        worker = cls(process)
        try:
            await worker._answer(_START_SECONDS)
        except (WorkerLost, TookTooLong):
            await worker.end()
            log.error("the process for images ends at its start", status=process.returncode)
            raise NoWorker from None
        except BaseException:
            process.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether the process has not ended, as far as is known."""
        return self._process.returncode is None

    def rest(self, timer: asyncio.TimerHandle | None) -> None:
        """Nothing to do until that timer ends it; None for something to do."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    async def ask(self, job: Mapping[str, Any], seconds: int) -> dict[str, Any]:
        """The answer to a job; raises WorkerLost, TookTooLong."""
        self.jobs += 1
        assert self._process.stdin is not None
        line = json.dumps({**job, "seconds": 2 * seconds}).encode() + b"\n"
        try:
            self._process.stdin.write(line)
            await self._process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise WorkerLost from error
        return await self._answer(seconds)

    async def _answer(self, seconds: int) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise TookTooLong from None
        if not line.endswith(b"\n"):
            raise WorkerLost
        found: dict[str, Any] = json.loads(line)
        return found

    async def end(self) -> None:
        """End the process and wait until it is gone."""
        self.rest(None)
        try:
            self._process.kill()
        except ProcessLookupError:
            pass
        await self._process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Of a process that is to know nothing: no secrets, no address of a database."""
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {
        **passed,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "MALLOC_ARENA_MAX": "2",  # address space is limited, and each arena takes much of it
        "TMPDIR": str(folder),
        "VIPS_BLOCK_UNTRUSTED": "1",
        "VIPS_CONCURRENCY": "1",
    }
