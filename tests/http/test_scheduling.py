"""What needs no waiting is answered where granian hands it over; without its parts, as a task."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from granian import _futures

from bkend.http.scheduling import answer_at_once

Begin = Callable[[Any, Any], Coroutine[Any, Any, None] | None]


class Loop:
    """Runs callbacks at once and keeps the tasks."""

    def __init__(self) -> None:
        self.tasks: list[Coroutine[Any, Any, None]] = []

    def call_soon_threadsafe(self, call: Any, *arguments: Any, context: Any) -> None:
        call(*arguments)

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> Any:
        self.tasks.append(coroutine)
        return coroutine


class Watcher:
    """What granian hands over."""

    scope = "scope"
    proto = "protocol"

    def __init__(self) -> None:
        self.task: Any = None
        self.outcome: Any = None

    def taskref(self, task: Any) -> None:
        self.task = task

    def done(self) -> None:
        self.outcome = "done"

    def err(self, error: BaseException) -> None:
        self.outcome = error


@pytest.fixture
def hand_over(monkeypatch: pytest.MonkeyPatch) -> Callable[[Begin], tuple[Loop, Watcher]]:
    monkeypatch.setattr(_futures, "_cbsched_aioschedule", _futures._cbsched_aioschedule)

    def hand_over(begin: Begin) -> tuple[Loop, Watcher]:
        assert answer_at_once(begin)
        loop, watcher = Loop(), Watcher()
        scheduler: Any = _futures._cbsched_aioschedule
        scheduler(loop, None, None)(watcher)
        return loop, watcher

    return hand_over


def test_an_answer_at_once_needs_no_task(hand_over: Any) -> None:
    asked: list[Any] = []
    loop, watcher = hand_over(lambda *given: asked.append(given))
    assert asked == [("scope", "protocol")]
    assert watcher.outcome == "done"
    assert loop.tasks == []


@pytest.mark.parametrize("fails", [False, True])
async def test_what_must_wait_becomes_a_task_that_granian_can_cancel(
    hand_over: Any, fails: bool
) -> None:
    async def work() -> None:
        if fails:
            raise ValueError("x")

    loop, watcher = hand_over(lambda scope, protocol: work())
    assert watcher.outcome is None
    assert watcher.task is loop.tasks[0]
    await loop.tasks[0]
    assert isinstance(watcher.outcome, ValueError) if fails else watcher.outcome == "done"


@pytest.mark.parametrize("other", [None, lambda loop, cb: None])
def test_an_unknown_granian_is_left_as_it_is(other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_futures, "_cbsched_aioschedule", other)
    assert not answer_at_once(lambda scope, protocol: None)
    assert _futures._cbsched_aioschedule is other
