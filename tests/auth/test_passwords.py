from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from bkend.auth.passwords import PasswordHasher
from bkend.errors import Unavailable


@pytest.fixture
def real() -> Iterator[PasswordHasher]:
    found = PasswordHasher()
    yield found
    found.close()


async def test_hash_is_argon2id_with_19_mib_two_passes_one_lane(real: PasswordHasher) -> None:
    encoded = await real.hash("correct horse")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await real.verify("correct horse", encoded)
    assert not await real.verify("correct horsE", encoded)
    assert not real.needs_rehash(encoded)


async def test_equal_passwords_have_different_hashes(hasher: PasswordHasher) -> None:
    assert await hasher.hash("same") != await hasher.hash("same")


@pytest.mark.parametrize("password", ["", " ", "a\x00b", "비밀번호", "🙂" * 40, "x" * 100_000])
async def test_any_text_can_be_a_password(hasher: PasswordHasher, password: str) -> None:
    encoded = await hasher.hash(password)
    assert await hasher.verify(password, encoded)
    assert not await hasher.verify(password + " ", encoded)


@pytest.mark.parametrize(
    "encoded", [None, "", "not a hash", "$argon2id$v=19$m=8,t=1,p=1$x$y", "$2b$12$" + "a" * 53]
)
async def test_nothing_matches_without_a_proper_hash(
    hasher: PasswordHasher, encoded: str | None
) -> None:
    for password in ("", "not a hash", "password"):
        assert not await hasher.verify(password, encoded)


def test_hash_with_other_parameters_needs_renewal(
    hasher: PasswordHasher, real: PasswordHasher
) -> None:
    encoded = asyncio.run(hasher.hash("password"))
    assert not hasher.needs_rehash(encoded)
    assert real.needs_rehash(encoded)


async def test_hashing_leaves_the_event_loop_free(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    monkeypatch.setattr(
        hasher, "_matches", lambda *_: threads.append(threading.current_thread().name)
    )
    await hasher.verify("password", "encoded")
    assert threads[0].startswith("passwords")


async def test_more_than_can_wait_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(memory_kib=8, time_cost=1, workers=1, waiting=2)
    go = threading.Event()
    monkeypatch.setattr(hasher, "_matches", lambda *_: go.wait(10))
    calls = [asyncio.ensure_future(hasher.verify("password", "encoded")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="try again"):
        await hasher.verify("password", "encoded")
    calls[2].cancel()
    go.set()
    assert await asyncio.gather(*calls[:2]) == [True, True]
    assert await hasher.verify("password", "encoded")
    hasher.close()


async def test_abandoned_calls_give_their_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(memory_kib=8, time_cost=1, workers=1, waiting=0)
    for _ in range(3):
        call = asyncio.ensure_future(hasher.hash("password"))
        await asyncio.sleep(0)
        call.cancel()
        hasher._pool.submit(int).result()  # whatever was begun has ended
    assert await hasher.hash("password")
    hasher.close()
