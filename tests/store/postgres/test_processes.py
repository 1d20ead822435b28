"""Several processes on one database: news, definitions, the first start, contention."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from bkend.store import (
    ALWAYS,
    Check,
    Collection,
    Conflict,
    Database,
    Delete,
    Duplicate,
    Equals,
    Find,
    Index,
    Insert,
    UnknownCollection,
    Update,
)
from bkend.store.postgres.news import Origin, parse, payload
from bkend.store.postgres.store import PostgresStore
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, document, find_ids, insert

DEADLINE_SECONDS = 10


async def until(holds: Callable[[], bool]) -> None:
    """Wait for word from elsewhere."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
async def other(store: PostgresStore, open_database: OpenDatabase) -> PostgresStore:
    """The same environment as another process would open it."""
    found: PostgresStore = await (await open_database()).environment("dev")
    return found


class Heard(list[tuple[str, list[str] | None]]):
    def __call__(self, collection: str, ids: Sequence[str] | None) -> None:
        self.append((collection, None if ids is None else list(ids)))


async def test_other_processes_hear_what_was_committed(
    store: PostgresStore, other: PostgresStore
) -> None:
    heard = Heard()
    other.listen(heard)
    before = other.changes(THINGS)
    await store.commit([insert("a")])
    await store.commit([insert("b"), Update(THINGS, "a", set={"n": 1})])
    with pytest.raises(Conflict):
        await store.commit([Delete(THINGS, "a"), Check(THINGS, ALWAYS, 9)])
    await store.commit([Delete(THINGS, "a")])
    await until(lambda: len(heard) >= 3)
    assert heard == [(THINGS, ["a"]), (THINGS, ["b", "a"]), (THINGS, ["a"])]
    assert other.changes(THINGS) > before


async def test_a_process_hears_of_its_own_changes_once(
    store: PostgresStore, other: PostgresStore
) -> None:
    heard, also = Heard(), Heard()
    store.listen(heard)
    other.listen(also)
    await store.commit([insert("a")])
    await until(lambda: bool(also))
    await other.commit([insert("b")])
    await until(lambda: len(heard) > 1)
    assert heard == [(THINGS, ["a"]), (THINGS, ["b"])]


async def test_news_of_very_many_ids_is_that_anything_may_have_changed(
    store: PostgresStore, other: PostgresStore
) -> None:
    heard = Heard()
    other.listen(heard)
    await store.commit([insert(f"{number:064}") for number in range(500)])
    await until(lambda: bool(heard))
    assert heard == [(THINGS, None)]


def test_news_always_fits_into_a_notification() -> None:
    origin = Origin("s" * 16, "bkend_12345")
    for changes in ({"t": ["é" * 64] * 900}, {f"{n:0100}": None for n in range(900)}):
        text = payload(origin, changes)  # type: ignore[arg-type]
        assert len(text.encode()) < 8000
        news = parse(text)
        assert news is not None
        assert all(ids is None for ids in news.changes.values())
    assert parse("hello") is None


async def test_definitions_are_known_to_all(store: PostgresStore, other: PostgresStore) -> None:
    wanted = Collection("more", (Index("v", (("v", 1),), unique=True),))
    await store.define(wanted)
    await other.commit([insert("a", {"v": 1}, into="more")])
    assert other.collection("more") == wanted
    with pytest.raises(Duplicate) as refusal:
        await other.commit([insert("b", {"v": 1}, into="more")])
    assert refusal.value.fields == ("v",)
    await store.define(Collection("more"))
    await until(lambda: other.collection("more") == Collection("more"))
    await other.commit([insert("b", {"v": 1}, into="more")])
    await store.drop("more")
    with pytest.raises(UnknownCollection):
        await other.get("more", "a")
    await store.define(wanted)
    assert await other.get("more", "a") is None
    await until(lambda: other.collection("more") == wanted)


async def test_a_table_made_anew_is_found_at_once(
    store: PostgresStore, other: PostgresStore
) -> None:
    for turn in range(5):
        await store.drop(THINGS)
        await store.define(Collection(THINGS))
        await other.commit([insert(str(turn))])
        assert await find_ids(store) == [str(turn)]


async def test_many_first_starts_at_once_set_up_one_database(open_database: OpenDatabase) -> None:
    collections = [Collection(name, (Index("v", (("v", 1),)),)) for name in ("x", "y")]

    async def start() -> Database:
        database: Database = await open_database()
        await database.control.define(*collections)
        await (await database.environment("dev")).define(*collections)
        return database

    started = await asyncio.gather(*(start() for _ in range(6)))
    await (await started[0].environment("dev")).commit([insert("a", into="x")])
    for database in started:
        assert await (await database.environment("dev")).count("x") == 1
        assert await database.control.check_integrity() == []


async def test_equal_inserts_by_several_processes_give_one(
    store: PostgresStore, other: PostgresStore
) -> None:
    await store.define(Collection(THINGS, (Index("v", (("v", 1),), unique=True),)))
    inserts = [
        (store if number % 2 else other).commit([insert(str(number), {"v": 1})])
        for number in range(50)
    ]
    outcomes = await asyncio.gather(*inserts, return_exceptions=True)
    assert sum(isinstance(outcome, Duplicate) for outcome in outcomes) == 49


async def test_no_guarded_or_counted_write_is_lost(
    store: PostgresStore, other: PostgresStore
) -> None:
    await store.commit([insert("a", {"n": 0, "taken": False})])

    async def write(mine: PostgresStore, number: int) -> int:
        await mine.commit([Update(THINGS, "a", increment={"n": 1}, set={f"by{number}": 1})])
        try:
            free = Equals(("taken",), False)
            await mine.commit([Update(THINGS, "a", set={"taken": True}, guard=free)])
        except Conflict:
            return 0
        return 1

    writes = [write(store if number % 2 else other, number) for number in range(40)]
    assert sum(await asyncio.gather(*writes)) == 1
    held = await document(store, "a")
    assert held is not None
    assert held["n"] == 40
    assert all(held[f"by{number}"] == 1 for number in range(40))


async def test_a_quota_holds_against_other_processes(
    store: PostgresStore, other: PostgresStore
) -> None:
    async def add(mine: PostgresStore, number: int) -> int:
        try:
            await mine.commit([Check(THINGS, ALWAYS, 0, 4), insert(str(number))])
        except Conflict:
            return 0
        return 1

    adds = [add(store if number % 2 else other, number) for number in range(24)]
    assert sum(await asyncio.gather(*adds)) == 5
    assert (await other.find(Find(THINGS))).total == 5


async def test_a_command_remembers_nothing(
    store: PostgresStore, open_database: OpenDatabase
) -> None:
    command = await (await open_database(serving=False)).environment("dev")
    assert command.changes(THINGS) != command.changes(THINGS)
    await store.commit([Insert(THINGS, "a", {}, 1, 1)])
    assert await command.count(THINGS) == 1
    await command.commit([insert("b")])
    assert await store.count(THINGS) == 2
