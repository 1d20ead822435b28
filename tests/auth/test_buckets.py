from __future__ import annotations

import asyncio

import orjson
import pytest

from bkend.auth.buckets import FAILED_PASSWORDS, SIGN_UPS, Buckets
from bkend.auth.collections import BUCKETS
from bkend.auth.errors import InvalidCredentials, TooManyLoginAttempts, TooManyRequests
from bkend.store import Find, Store
from tests.auth.conftest import FakeClock

KEY = "ada@example.com"


@pytest.fixture
def buckets(store: Store, clock: FakeClock) -> Buckets:
    return Buckets(store, clock)


async def fail(buckets: Buckets, key: str = KEY) -> None:
    """One wrong password."""
    with pytest.raises(InvalidCredentials):
        async with buckets.attempt(FAILED_PASSWORDS, key):
            raise InvalidCredentials


async def test_limit_is_reached_after_its_count(buckets: Buckets) -> None:
    for _ in range(3):
        await buckets.take(SIGN_UPS, KEY)
    with pytest.raises(TooManyRequests) as refused:
        await buckets.take(SIGN_UPS, KEY)
    assert refused.value.headers["Retry-After"] == "3600"
    assert refused.value.headers["X-RateLimit-Limit"] == "3"


async def test_window_ends_when_it_says(buckets: Buckets, clock: FakeClock) -> None:
    for _ in range(3):
        await buckets.take(SIGN_UPS, KEY)
        clock.advance(60)
    with pytest.raises(TooManyRequests) as refused:
        await buckets.take(SIGN_UPS, KEY)
    clock.advance(int(refused.value.headers["Retry-After"]) - 1)
    with pytest.raises(TooManyRequests):
        await buckets.take(SIGN_UPS, KEY)
    clock.advance(1)
    await buckets.take(SIGN_UPS, KEY)


async def test_keys_and_kinds_are_counted_apart(buckets: Buckets) -> None:
    for _ in range(3):
        await buckets.take(SIGN_UPS, KEY)
    await buckets.take(SIGN_UPS, "eve@example.com")
    await buckets.take(FAILED_PASSWORDS, KEY)


async def test_no_address_is_stored_readable(buckets: Buckets, store: Store) -> None:
    await buckets.take(SIGN_UPS, KEY)
    page = await store.find(Find(BUCKETS))
    assert page.total == 1
    assert b"ada" not in page.items
    assert b"example" not in page.items


async def test_only_wrong_passwords_count(buckets: Buckets) -> None:
    for _ in range(4):
        await fail(buckets)
    for _ in range(10):
        async with buckets.attempt(FAILED_PASSWORDS, KEY):
            pass
        with pytest.raises(ZeroDivisionError):
            async with buckets.attempt(FAILED_PASSWORDS, KEY):
                raise ZeroDivisionError
    await fail(buckets)
    with pytest.raises(TooManyLoginAttempts):
        async with buckets.attempt(FAILED_PASSWORDS, KEY):
            pytest.fail("a sixth try")


async def test_clearing_forgets_all_failures(buckets: Buckets, store: Store) -> None:
    for _ in range(4):
        await fail(buckets)
    async with buckets.attempt(FAILED_PASSWORDS, KEY) as attempt:
        await store.commit([attempt.clear()])
    assert await store.count(BUCKETS) == 0
    for _ in range(5):
        await fail(buckets)


@pytest.mark.parametrize("processes", [1, 5])
async def test_50_parallel_guesses_get_five_tries(
    store: Store, clock: FakeClock, processes: int
) -> None:
    """Buckets of several processes share the database and nothing else."""
    several = [Buckets(store, clock) for _ in range(processes)]

    async def guess(number: int) -> type[Exception]:
        try:
            async with several[number % processes].attempt(FAILED_PASSWORDS, KEY):
                await asyncio.sleep(0)
                raise InvalidCredentials
        except (InvalidCredentials, TooManyLoginAttempts) as refused:
            return type(refused)

    outcomes = await asyncio.gather(*(guess(number) for number in range(50)))
    assert outcomes.count(InvalidCredentials) == 5
    assert outcomes.count(TooManyLoginAttempts) == 45


async def test_parallel_tries_of_one_process_wait_for_each_other(buckets: Buckets) -> None:
    inside = 0

    async def succeed() -> None:
        nonlocal inside
        async with buckets.attempt(FAILED_PASSWORDS, KEY):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(succeed() for _ in range(20)))
    assert buckets._queues == {}


async def test_abandoned_try_counts_and_blocks_nobody(buckets: Buckets) -> None:
    started = asyncio.Event()

    async def hang() -> None:
        async with buckets.attempt(FAILED_PASSWORDS, KEY):
            started.set()
            await asyncio.Event().wait()

    for _ in range(5):
        started.clear()
        task = asyncio.ensure_future(hang())
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
    with pytest.raises(TooManyLoginAttempts):
        async with buckets.attempt(FAILED_PASSWORDS, KEY):
            pytest.fail("a sixth try")
    assert buckets._queues == {}


async def test_expired_buckets_are_dropped(
    buckets: Buckets, store: Store, clock: FakeClock
) -> None:
    await buckets.take(FAILED_PASSWORDS, KEY)
    await buckets.take(SIGN_UPS, KEY)
    clock.advance(15 * 60)
    await store.commit([buckets.drop_expired()])
    [left] = orjson.loads((await store.find(Find(BUCKETS))).items)
    assert left["kind"] == SIGN_UPS.kind
