"""Documents kept in memory: never other than what a query would find, never more than allowed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkend.store import (
    Collection,
    Delete,
    DeleteWhere,
    Equals,
    Find,
    Store,
    UnknownCollection,
    Update,
)
from bkend.store.sqlite import SqliteDatabase
from bkend.store.sqlite.recent import RecentBudget, RecentDocuments
from bkend.store.sqlite.store import SqliteStore
from tests.engines import Engine
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, insert

KB = 1024


@pytest.fixture
def engine() -> Engine:
    """PostgreSQL keeps nothing: word of other processes' changes takes a moment."""
    return "sqlite"


def now(work: Awaitable[Any]) -> Any:
    """What a coroutine answers that must not wait."""
    try:
        next(work.__await__())
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


async def test_a_document_read_again_is_the_one_kept(store: Store) -> None:
    await store.commit([insert("a", {"v": 1})])
    first = await store.get(THINGS, "a")
    assert store.at_once(THINGS, "a") is first


async def test_every_kind_of_change_is_seen(store: Store) -> None:
    await store.commit([insert("a", {"v": 1}), insert("b", {"v": 1}), insert("c", {"v": 1})])
    for id in "abc":
        assert store.at_once(THINGS, id) is not None
    await store.commit([Update(THINGS, "a", set={"v": 2})])
    assert b'"v":2' in (store.at_once(THINGS, "a") or b"")
    await store.commit([Delete(THINGS, "b")])
    assert store.at_once(THINGS, "b") is None
    assert await store.get(THINGS, "b") is None
    await store.commit([DeleteWhere(THINGS, Equals(("v",), 1))])
    assert await store.get(THINGS, "c") is None
    await store.commit([insert("b", {"v": 9})])
    assert b'"v":9' in (await store.get(THINGS, "b") or b"")


async def test_a_dropped_collection_takes_its_documents_along(store: Store) -> None:
    await store.commit([insert("a", {"v": 1})])
    assert store.at_once(THINGS, "a") is not None
    await store.drop(THINGS)
    assert store.at_once(THINGS, "a") is None
    with pytest.raises(UnknownCollection):
        await store.get(THINGS, "a")
    await store.define(Collection(THINGS))
    assert await store.get(THINGS, "a") is None


async def test_between_commit_and_word_of_it_reads_agree_with_queries(store: SqliteStore) -> None:
    """Whoever has seen the new document in a list must not get the old one by its id."""
    await store.commit([insert("a", {"v": 1})])
    assert await store.get(THINGS, "a") is not None
    change = asyncio.ensure_future(store.commit([Update(THINGS, "a", set={"v": 2})]))
    await asyncio.sleep(0)  # the change is with the writer, and this loop hears of nothing yet
    deadline = time.monotonic() + 10
    while b'"v":2' not in now(store.find(Find(THINGS))).items:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert not change.done()
    assert b'"v":2' in (store.at_once(THINGS, "a") or b"")
    assert b'"v":2' in now(store.get(THINGS, "a"))
    await change
    assert b'"v":2' in (store.at_once(THINGS, "a") or b"")


async def test_changes_by_another_process_are_seen_after_a_refresh(
    database: SqliteDatabase, open_database: OpenDatabase
) -> None:
    served = database.control
    await served.define(Collection(THINGS))
    await served.commit([insert("a", {"v": 1})])
    assert served.at_once(THINGS, "a") is not None
    command = await open_database(serving=False)
    assert command.control.at_once(THINGS, "a") is None, "a command keeps nothing"
    await command.control.commit([Update(THINGS, "a", set={"v": 2})])
    database.refresh()
    assert b'"v":2' in (served.at_once(THINGS, "a") or b"")


async def test_environments_are_apart(database: SqliteDatabase) -> None:
    one, other = await database.environment("one"), await database.environment("other")
    for store, value in ((one, 1), (other, 2)):
        await store.define(Collection(THINGS))
        await store.commit([insert("a", {"v": value})])
    assert b'"v":1' in (one.at_once(THINGS, "a") or b"")
    assert b'"v":2' in (other.at_once(THINGS, "a") or b"")


async def test_no_more_is_kept_than_allowed(directory: Path) -> None:
    database = await SqliteDatabase.open(directory, serving=True, recent_bytes=200 * KB)
    store = await database.environment("one")
    await store.define(Collection(THINGS))
    ids = [f"d{number}" for number in range(100)]
    await store.commit([insert(id, {"text": "x" * 10 * KB}) for id in ids])
    first = {id: await store.get(THINGS, id) for id in ids}
    kept = [id for id in ids if store._recent.get(THINGS, id) is first[id]]
    assert 5 <= len(kept) <= 20
    assert kept[-5:] == ids[-5:], "the latest among them"
    await database.close()


# -- the memory itself -------------------------------------------------------------------------


def test_what_is_read_again_outlives_what_is_not() -> None:
    recent = RecentDocuments(RecentBudget(20 * KB))
    recent.put("c", "wanted", b"x" * KB)
    for number in range(100):
        recent.put("c", f"n{number}", b"x" * KB)
        assert recent.get("c", "wanted") is not None, number
    assert recent.get("c", "n0") is None


def test_the_budget_is_shared() -> None:
    budget = RecentBudget(20 * KB)
    one, other = RecentDocuments(budget), RecentDocuments(budget)
    one.put("c", "a", b"x" * KB)
    for number in range(40):
        other.put("c", f"n{number}", b"x" * KB)
    assert one.get("c", "a") is None


@pytest.mark.parametrize(("limit", "size"), [(0, 1), (20 * KB, 15 * KB), (100_000 * KB, 65 * KB)])
def test_what_would_push_out_all_others_is_not_kept(limit: int, size: int) -> None:
    recent = RecentDocuments(RecentBudget(limit))
    recent.put("c", "big", b"x" * size)
    assert recent.get("c", "big") is None


def test_forgetting_reaches_both_generations() -> None:
    recent = RecentDocuments(RecentBudget(8 * KB))
    for ids in (["a", "b"], None):
        for generation in ("old", "young"):
            recent.put("c", "a", b"1")
            recent.put("d", "a", b"1")
            if generation == "old":
                recent.grow_old()
            recent.forget("c", ids)
            assert recent.get("c", "a") is None, (ids, generation)
            assert recent.get("d", "a") is not None


def test_many_generations_are_few_places_to_look() -> None:
    recent = RecentDocuments(RecentBudget(100 * KB))
    for number in range(50):
        recent.put("c", f"n{number}", b"x")
        recent.put(f"c{number % 3}", f"n{number}", b"y")
        recent.grow_old()
    assert len(recent._older) <= 4
    assert all(recent.get("c", f"n{number}") == b"x" for number in range(50))
    assert all(recent.get(f"c{number % 3}", f"n{number}") == b"y" for number in range(50))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 30)), max_size=300))
def test_what_is_counted_is_what_is_held(steps: list[tuple[int, int, int]]) -> None:
    budget = RecentBudget(8 * KB)
    members = [RecentDocuments(budget), RecentDocuments(budget)]
    for kind, which, number in steps:
        member, id = members[which], f"n{number}"
        if kind <= 2:
            member.put("c", id, b"x" * (number * 50))
            assert number * 50 > 4 * KB or member.get("c", id) == b"x" * (number * 50)
        elif kind == 3:
            member.get("c", id)
        elif kind == 4:
            member.forget("c", [id] if number else None)
        else:
            member.clear()
        held = [
            body
            for one in members
            for generation in (one._young, *one._older)
            for documents in generation.values()
            for body in documents.values()
        ]
        assert budget._held == sum(len(body) + 200 for body in held) <= 8 * KB


# -- reading ahead -----------------------------------------------------------------------------


async def test_documents_with_the_next_ids_come_along(store: SqliteStore) -> None:
    ids = [f"d{number:02}" for number in range(40)]
    await store.commit([insert(id, {"v": id}) for id in ids])
    assert store.at_once(THINGS, "d10") is not None
    kept = [id for id in ids if store._recent.get(THINGS, id) is not None]
    assert kept == ids[10:26]
    for id in kept:
        assert f'"v":"{id}"'.encode() in (store.at_once(THINGS, id) or b"")


async def test_what_came_along_is_seen_to_change(store: SqliteStore) -> None:
    await store.commit([insert(id, {"v": 1}) for id in "abc"])
    assert store.at_once(THINGS, "a") is not None
    await store.commit([Update(THINGS, "b", set={"v": 2}), Delete(THINGS, "c")])
    assert b'"v":2' in (store.at_once(THINGS, "b") or b"")
    assert store.at_once(THINGS, "c") is None


async def test_an_id_between_others_brings_nothing(store: SqliteStore) -> None:
    await store.commit([insert(id, {"v": 1}) for id in "ac"])
    assert store.at_once(THINGS, "b") is None
    assert store.at_once(THINGS, "z") is None
    assert store.at_once(THINGS, "a\ud800") is None


@pytest.mark.parametrize("id", ["a\x1eb", "a\x1fb", 'a","b', "a\\", "ä"])
async def test_ids_may_hold_anything(store: SqliteStore, id: str) -> None:
    await store.commit([insert(id, {"text": "\x1e\x1f\x00"}), insert("z", {"v": "z"})])
    body = store.at_once(THINGS, id) or b""
    assert orjson.loads(body)["text"] == "\x1e\x1f\x00"
    assert orjson.loads(store.at_once(THINGS, "z") or b"")["v"] == "z"


async def test_large_documents_come_only_when_asked_for(store: SqliteStore) -> None:
    await store.commit([insert(id, {"text": "x" * 5 * KB}) for id in "abc"])
    assert len(store.at_once(THINGS, "b") or b"") > 5 * KB
    assert store._recent.get(THINGS, "c") is None
    assert len(store.at_once(THINGS, "c") or b"") > 5 * KB


async def test_without_room_each_comes_alone(directory: Path) -> None:
    database = await SqliteDatabase.open(directory, serving=True, recent_bytes=20 * KB)
    store = await database.environment("one")
    await store.define(Collection(THINGS))
    ids = [f"d{number:02}" for number in range(60)]
    await store.commit([insert(id, {"text": "x" * KB}) for id in ids])
    for id in ids[:32]:
        store.at_once(THINGS, id)
    assert store._recent.get(THINGS, "d59") is None
    assert store.at_once(THINGS, "d40") is not None
    assert store._recent.get(THINGS, "d41") is None
    await database.close()
