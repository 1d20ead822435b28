"""Several processes that serve one port: started, watched, replaced when one dies, stopped."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

import structlog

_STOP_SECONDS = 60.0
_QUICK_SECONDS = 5.0
_MOST_QUICK_DEATHS = 5
_PAUSE_SECONDS = 0.5

log = structlog.get_logger("bkend")


class WorkersFailed(Exception):
    """Worker after worker ended right after its start; what they said stands above."""


def supervise(count: int, work: Callable[[Connection], None]) -> None:
    """Run `work` in `count` processes until SIGINT or SIGTERM; raises WorkersFailed.

    The kernel hands every new connection to one of them. `work` gets the end of a pipe that
    becomes readable when this process is gone, however it ended.
    """
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    workers = [_Worker(work) for _ in range(count)]
    try:
        _watch(workers, stopping)
    finally:
        for worker in workers:
            worker.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for worker in workers:
            worker.end(deadline)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _watch(workers: list[_Worker], stopping: threading.Event) -> None:
    quick_deaths = 0
    while not stopping.is_set():
        wait([worker.sentinel for worker in workers], timeout=_PAUSE_SECONDS)
        for worker in workers:
            if stopping.is_set() or worker.is_alive():
                continue
            quick_deaths = quick_deaths + 1 if worker.age < _QUICK_SECONDS else 0
            if quick_deaths >= _MOST_QUICK_DEATHS:
                raise WorkersFailed("the serving processes end right after their start")
            log.error("a serving process ended; starting another", status=worker.status)
            stopping.wait(_PAUSE_SECONDS * quick_deaths)
            worker.start()


class _Worker:
    """One place among the serving processes, and who fills it."""

    _context = multiprocessing.get_context("spawn")

    def __init__(self, work: Callable[[Connection], None]) -> None:
        self._work = work
        self.start()

    def start(self) -> None:
        """Fill the place with a new process."""
        theirs, self._ours = self._context.Pipe(duplex=False)
        self._process: SpawnProcess = self._context.Process(target=self._work, args=(theirs,))
        self._started = time.monotonic()
        self._process.start()
        theirs.close()

    @property
    def sentinel(self) -> int:
        """Becomes ready when the process ends."""
        return self._process.sentinel

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._started

    @property
    def status(self) -> int | None:
        """Its exit status; negative is a signal's number."""
        return self._process.exitcode

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def stop(self) -> None:
        """Ask it to finish what it has acknowledged, and to end."""
        if self._process.is_alive():
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for that, and end it by force when the time is over."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
