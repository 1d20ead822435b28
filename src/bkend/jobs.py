"""What the server does by itself now and then, and how it went the last time (50 §11)."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import structlog

from bkend.clock import Clock
from bkend.store import StoreError

log = structlog.get_logger("bkend")


@dataclass(slots=True)
class Job:
    """Something that is done again and again. Times in ms; None is never."""

    name: str
    runs: int = 0
    failures: int = 0
    started_at: int | None = None
    finished_at: int | None = None
    duration_ms: int | None = None
    error: str | None = None
    """Why the last run failed, if it did; of the present run, what has failed so far."""

    @property
    def status(self) -> str:
        """`running`, `ok` or `failed`."""
        if self.finished_at is None:
            return "running"
        return "failed" if self.error else "ok"


class Jobs:
    """The jobs of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}

    def all(self) -> list[Job]:
        """Every job that has run, in the order of the first runs."""
        return list(self._jobs.values())

    async def run(self, name: str, work: Awaitable[Any]) -> None:
        """Do the work. A failure of a store or of the disk is logged and remembered; the next run
        tries again."""
        job = self._jobs.setdefault(name, Job(name))
        job.started_at, job.finished_at, job.error = self._clock.now_ms(), None, None
        await self.part(name, work)
        job.finished_at = self._clock.now_ms()
        job.duration_ms = job.finished_at - job.started_at
        job.runs += 1
        job.failures += job.error is not None

    async def part(self, name: str, work: Awaitable[Any]) -> None:
        """Do a part of a running job, after whose failure the other parts are done all the same."""
        try:
            await work
        except (StoreError, OSError) as error:
            log.warning("housekeeping failed", job=name, reason=str(error))
            if name in self._jobs:
                self._jobs[name].error = str(error) or type(error).__name__
