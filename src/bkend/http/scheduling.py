"""Requests that need no waiting are answered where granian hands them over.

Granian makes a task of every request, which starts in the loop's next turn; for a record in memory
both cost more than the answer. It has no setting for this, so its scheduler is replaced by one that
asks the application first. If granian's parts are not the known ones, it stays as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from granian import _futures

_SCHEDULER = "_cbsched_aioschedule"
_PARAMETERS = ["loop", "ctx", "cb"]

log = structlog.get_logger("bkend.http")


def answer_at_once(begin: Callable[[Any, Any], Coroutine[Any, Any, None] | None]) -> bool:
    """Have servers made from now on call `begin(scope, protocol)`, which answers or returns what
    is to be run as a task. False when this version of granian is not known to allow it."""
    scheduler = getattr(_futures, _SCHEDULER, None)
    if scheduler is None or list(inspect.signature(scheduler).parameters) != _PARAMETERS:
        log.warning("granian is not as expected; every request becomes a task")
        return False

    def scheduling(loop: Any, ctx: Any, cb: Any) -> Callable[[Any], None]:
        def start(watcher: Any) -> None:
            waiting = begin(watcher.scope, watcher.proto)
            if waiting is None:
                watcher.done()
            else:
                watcher.taskref(loop.create_task(_watch(waiting, watcher)))

        def schedule(watcher: Any) -> None:
            loop.call_soon_threadsafe(start, watcher, context=ctx)

        return schedule

    setattr(_futures, _SCHEDULER, scheduling)
    return True


async def _watch(waiting: Coroutine[Any, Any, None], watcher: Any) -> None:
    try:
        await waiting
    except BaseException as error:
        watcher.err(error)
        return
    watcher.done()
