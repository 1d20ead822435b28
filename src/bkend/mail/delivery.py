"""The worker of a server process that empties the outboxes of all its environments.

A mail is claimed before it is sent, so processes that share a database never send one twice; only
when a process dies between handing a mail over and noting it is that mail sent again, with the
same Message-ID. What cannot be sent is tried again, ever more seldom, until its link has expired
or 24 hours have passed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from bkend.clock import Clock
from bkend.mail.collections import OUTBOX
from bkend.mail.message import build_message
from bkend.mail.outbox import Claimed, Outbox
from bkend.mail.smtp_url import SmtpAddress
from bkend.store import StoreError

if TYPE_CHECKING:
    from bkend.mail.smtp import Connection

log = structlog.get_logger("bkend.mail")

_LANES = 4
_BATCH = 20
_IDLE_SECONDS = 30.0
_FIND_SECONDS = 300.0
_SWEEP_MS = 3_600_000
_STOP_SECONDS = 5.0
_FIRST_RETRY_MS, _LONGEST_RETRY_MS = 15_000, 3_600_000
_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 5_000, 300_000

Job = tuple[Outbox, dict[str, Any]]


class Delivery:
    """Empties outboxes. Without `smtp` it only keeps captured mails within bounds."""

    def __init__(
        self,
        smtp: SmtpAddress | None,
        host: str,
        clock: Clock,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._smtp = smtp
        self._host = host
        self._clock = clock
        self._refresh = refresh
        self._outboxes: dict[str, Outbox] = {}
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._swept_at = 0
        self._failures = 0
        self._resume_at = 0

    @property
    def captures(self) -> bool:
        """Whether there is no SMTP server: mails stay in the outbox to be read."""
        return self._smtp is None

    def attach(self, outbox: Outbox) -> None:
        """Look after an environment's outbox from now on."""

        def changed(collection: str, ids: Sequence[str] | None) -> None:
            if collection in (OUTBOX, "*"):
                self._woken.set()

        held = self._outboxes.get(outbox.environment_id)
        if held is None or held.store is not outbox.store:
            outbox.store.listen(changed)
        self._outboxes[outbox.environment_id] = outbox
        self._woken.set()

    async def is_busy(self, environment_id: str) -> bool:
        """Whether mails of the environment are still to be sent."""
        outbox = self._outboxes.get(environment_id)
        return not self.captures and outbox is not None and await outbox.next_due() is not None

    def detach(self, environment_id: str) -> None:
        """The environment is closed; it is attached again when it is opened."""
        self._outboxes.pop(environment_id, None)

    def wake(self) -> None:
        """There is something to send."""
        self._woken.set()

    def start(self, open_environments: Callable[[], Awaitable[None]]) -> None:
        """Begin; mails that an earlier process left to be sent are found by opening every
        environment."""
        self._tasks = [asyncio.create_task(self._run())]
        if not self.captures:
            self._tasks.append(asyncio.create_task(_find(open_environments)))

    async def stop(self) -> None:
        """Finish what is being sent, for a few seconds at most."""
        self._stopping = True
        self._woken.set()
        if not self._tasks:
            return
        run, *find = self._tasks
        for task in find:
            task.cancel()
        await asyncio.wait([run], timeout=_STOP_SECONDS)
        run.cancel()
        await asyncio.gather(run, *find, return_exceptions=True)
        self._tasks = []

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                self._refresh()
                seconds = await self.work()
            except Exception as error:  # the worker outlives whatever befalls one round
                log.error("mail delivery failed", error=repr(error))
                seconds = _IDLE_SECONDS
            try:
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def work(self) -> float:
        """Do all there is to do now; the seconds until there may be more."""
        now = self._clock.now_ms()
        if now - self._swept_at >= _SWEEP_MS:
            self._swept_at = now
            await self._each(Outbox.sweep)
        if self._smtp is None:
            await self._each(Outbox.trim)
            return _IDLE_SECONDS
        while not self._stopping and self._clock.now_ms() >= self._resume_at:
            jobs = await self._due()
            if not jobs:
                return await self._pause()
            await self._deliver(jobs)
        return min(_IDLE_SECONDS, max(0.05, (self._resume_at - self._clock.now_ms()) / 1000))

    async def _due(self) -> list[Job]:
        jobs: list[Job] = []

        async def collect(outbox: Outbox) -> None:
            jobs.extend((outbox, mail) for mail in await outbox.due(_BATCH))

        await self._each(collect)
        return sorted(jobs, key=lambda job: int(job[1]["dueAt"]))

    async def _pause(self) -> float:
        times: list[int] = []

        async def collect(outbox: Outbox) -> None:
            due = await outbox.next_due()
            if due is not None:
                times.append(due)

        await self._each(collect)
        if not times:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.05, (min(times) - self._clock.now_ms()) / 1000))

    async def _each(self, work: Callable[[Outbox], Awaitable[None]]) -> None:
        """Do it for every outbox: one that cannot be reached does not hold up the others."""
        for outbox in list(self._outboxes.values()):
            try:
                await work(outbox)
            except StoreError as error:
                log.warning(
                    "outbox unreachable", environment=outbox.environment_id, reason=str(error)
                )

    async def _deliver(self, jobs: list[Job]) -> None:
        jobs.reverse()  # each lane takes the next from the end
        lanes = min(_LANES, len(jobs))
        await asyncio.gather(*(self._lane(jobs) for _ in range(lanes)))

    async def _lane(self, jobs: list[Job]) -> None:
        from bkend.mail.smtp import Connection

        assert self._smtp is not None
        connection = Connection(self._smtp, self._host)
        try:
            while jobs and not self._stopping and self._clock.now_ms() >= self._resume_at:
                outbox, mail = jobs.pop()
                claimed = await outbox.claim(mail)
                if claimed is not None:
                    await self._send(outbox, claimed, connection)
        except StoreError as error:
            log.warning("outbox unreachable", reason=str(error))
            self._resume_at = self._clock.now_ms() + _FIRST_PAUSE_MS
        finally:
            await connection.close()

    async def _send(self, outbox: Outbox, claimed: Claimed, connection: Connection) -> None:
        from bkend.mail.smtp import MailRefused, ServerProblem

        mail, now = claimed.document, self._clock.now_ms()
        told = log.bind(
            environment=outbox.environment_id,
            mail=claimed.id,
            template=mail["category"],
            attempt=claimed.attempt,
        )
        if now >= mail["giveUpAt"]:
            await outbox.mark_failed(claimed, mail.get("reason") or "not sent in time")
            told.warning("mail given up", reason=mail.get("reason") or "not sent in time")
            return
        try:
            message = build_message(mail, now, self._host)
            sender, to = (message[name].addresses[0].addr_spec for name in ("From", "To"))
            await connection.send(message, sender, to)
        except ServerProblem as problem:
            self._rest()
            told.warning("mail server unusable", reason=str(problem))
            await self._try_again(outbox, claimed, str(problem), told)
        except MailRefused as refusal:
            if refusal.permanent:
                await outbox.mark_failed(claimed, str(refusal))
                told.warning("mail refused", reason=str(refusal))
            else:
                await self._try_again(outbox, claimed, str(refusal), told)
        except (ValueError, KeyError):
            await outbox.mark_failed(claimed, "no message can be made of it")
            told.warning("mail malformed")
        else:
            self._failures = 0
            await outbox.mark_sent(claimed)
            told.info("mail sent")

    async def _try_again(self, outbox: Outbox, claimed: Claimed, reason: str, told: Any) -> None:
        pause = _backoff(_FIRST_RETRY_MS, _LONGEST_RETRY_MS, claimed.attempt)
        at = self._clock.now_ms() + pause
        if at >= claimed.document["giveUpAt"]:
            await outbox.mark_failed(claimed, reason)
            told.warning("mail given up", reason=reason)
        else:
            await outbox.try_again(claimed, reason, at)
            told.info("mail delayed", reason=reason, seconds=pause // 1000)

    def _rest(self) -> None:
        """Leave the mail server alone for a while."""
        self._failures += 1
        pause = _backoff(_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS, self._failures)
        self._resume_at = self._clock.now_ms() + pause


async def _find(open_environments: Callable[[], Awaitable[None]]) -> None:
    """At the start and now and then: an environment may be new, or its process gone for good."""
    while True:
        try:
            await open_environments()
        except Exception as error:
            log.warning("environments could not be opened for their mail", error=repr(error))
        await asyncio.sleep(_FIND_SECONDS)


def _backoff(first: int, longest: int, attempt: int) -> int:
    """Milliseconds to wait after the attempt: doubled each time, spread by a quarter."""
    pause = min(longest, first * 2 ** min(attempt - 1, 20))
    return int(pause * random.uniform(0.75, 1.25))  # noqa: S311  spreading load, no secret
