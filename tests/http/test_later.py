"""Endpoints that are loaded beside the first requests."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from bkend.http.later import Later
from bkend.http.transports import AsgiApp, Message

SCOPE = {"type": "http"}


async def _receive() -> Message:
    return {"type": "http.disconnect"}


async def test_all_who_ask_meanwhile_wait_for_one_loading() -> None:
    loaded, answered = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answered.append(scope)

    def load() -> AsgiApp:
        time.sleep(0.05)
        loaded.append(1)
        return app

    later = Later(load)

    async def send(message: Message) -> None:
        raise AssertionError

    await asyncio.gather(*(later(SCOPE, _receive, send) for _ in range(5)))
    await later(SCOPE, _receive, send)
    assert (len(loaded), len(answered)) == (1, 6)


async def test_one_who_goes_away_takes_nothing_from_others() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    def load() -> AsgiApp:
        time.sleep(0.1)
        return app

    later = Later(load)
    first = asyncio.ensure_future(later.loaded())
    await asyncio.sleep(0.01)
    second = asyncio.ensure_future(later.loaded())
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second is app


async def test_what_fails_is_told_and_tried_again() -> None:
    tries = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    def load() -> AsgiApp:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("not today")
        return app

    later = Later(load)
    with pytest.raises(RuntimeError, match="not today"):
        await later.loaded()
    assert await later.loaded() is app
