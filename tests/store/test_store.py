"""A store as services see it: reads, totals, change counters, listeners, definitions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from bkend.store import (
    ALWAYS,
    Check,
    Collection,
    Database,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Find,
    Index,
    Operation,
    Store,
    StoreUnavailable,
    UnknownCollection,
    Update,
)
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, document, documents, find_ids, ids, insert


async def test_get_returns_the_stored_bytes_or_none(store: Store) -> None:
    (body,) = await store.commit([insert("a", {"n": 1}, by="u1")])
    assert await store.get(THINGS, "a") == body
    assert body == (
        b'{"id":"a","n":1,"createdBy":"u1","createdAt":"1970-01-01T00:00:01.000Z",'
        b'"updatedAt":"1970-01-01T00:00:01.000Z"}'
    )
    assert await store.get(THINGS, "b") is None
    assert await store.get(THINGS, "a\0") is None
    assert await store.get(THINGS, "\ud800") is None


async def test_find_returns_a_page_of_stored_bytes_and_the_total(store: Store) -> None:
    bodies = await store.commit([insert(id, {"n": n}) for n, id in enumerate("abc")])
    page = await store.find(Find(THINGS, descending=False, offset=1, limit=1))
    assert page.items == b"[" + (bodies[1] if isinstance(bodies[1], bytes) else b"") + b"]"
    assert page.total == 3
    assert ids(await store.find(Find(THINGS))) == ["c", "b", "a"]


async def test_strings_with_nul_quotes_and_emoji_come_back_whole(store: Store) -> None:
    odd = {"text": "a\0b\"'\\\U0001f600", 'k\0y"': ["\0"]}
    await store.commit([insert("a", odd), insert("b", odd)])
    found = documents(await store.find(Find(THINGS)))
    assert [{key: held[key] for key in odd} for held in found] == [odd, odd]


async def test_count_counts_matching_documents(store: Store) -> None:
    await store.commit([insert(str(n), {"even": n % 2 == 0}) for n in range(5)])
    assert await store.count(THINGS) == 5
    assert await store.count(THINGS, Equals(("even",), True)) == 3


@pytest.mark.parametrize("name", ["nothing", 'x"; DROP TABLE c1; --', "", "c1"])
async def test_an_unknown_collection_is_refused_everywhere(store: Store, name: str) -> None:
    with pytest.raises(UnknownCollection):
        await store.get(name, "a")
    with pytest.raises(UnknownCollection):
        await store.find(Find(name))
    with pytest.raises(UnknownCollection):
        await store.count(name)
    with pytest.raises(UnknownCollection):
        await store.commit([insert("a"), insert("b", into=name)])
    assert store.collection(name) is None
    assert await store.count(THINGS) == 0


# -- totals ----------------------------------------------------------------------------------

V = Equals(("v",), 1)
TOTALS: list[tuple[list[Operation], int, int]] = [
    ([insert("a", {"v": 1}), insert("b", {"v": 2})], 2, 1),
    ([Update(THINGS, "b", set={"v": 1})], 2, 2),
    ([Update(THINGS, "a", unset=("v",))], 2, 1),
    ([Update(THINGS, "a", increment={"v": 1})], 2, 2),
    ([insert("c", {"v": [1]})], 3, 3),
    ([Delete(THINGS, "b")], 2, 2),
    ([Delete(THINGS, "a"), insert("a", {"v": True})], 2, 1),
    ([DeleteWhere(THINGS, V)], 1, 0),
    ([Check(THINGS, ALWAYS, 1, 1)], 1, 0),
    ([insert("d", {"v": 1})], 2, 1),
]


@pytest.mark.parametrize("indexes", [(), (Index("v", (("v", 1),)),)])
async def test_totals_are_exact_after_every_kind_of_change(
    store: Store, indexes: tuple[Index, ...]
) -> None:
    await store.define(Collection(THINGS, indexes))
    for operations, everything, matching in TOTALS:
        for _ in range(2):  # the second answer may be remembered
            assert (await store.find(Find(THINGS, V))).total == await store.count(THINGS, V)
        await store.commit(operations)
        assert await store.count(THINGS) == everything, operations
        assert await store.count(THINGS, V) == matching, operations
    await store.drop(THINGS)
    await store.define(Collection(THINGS, indexes))
    assert await store.count(THINGS) == 0


async def test_a_refused_commit_leaves_totals_as_they_were(store: Store) -> None:
    await store.commit([insert("a")])
    with pytest.raises(Duplicate):
        await store.commit([insert("b"), insert("a")])
    assert await store.count(THINGS) == 1


async def test_an_acknowledged_write_is_never_hidden_by_a_snapshot(store: Store) -> None:
    """Many writers, each reading its own write back at once, while others keep reading."""
    await store.define(Collection(THINGS, (Index("w", (("w", 1),)),)))
    writing = True

    async def keep_reading() -> None:
        while writing:
            await store.find(Find(THINGS))
            await asyncio.sleep(0)

    async def write_and_look(writer: int) -> None:
        mine = Equals(("w",), writer)
        for turn in range(150):
            id = f"{writer}-{turn}"
            await store.commit([insert(id, {"w": writer, "t": turn}, at=turn)])
            assert await store.get(THINGS, id) is not None
            newest = await store.find(Find(THINGS, mine, limit=1))
            assert (ids(newest), newest.total) == ([id], turn + 1)
            await store.commit([Update(THINGS, id, set={"t": -turn})])
            held = await document(store, id)
            assert held is not None
            assert held["t"] == -turn

    readers = [asyncio.create_task(keep_reading()) for _ in range(3)]
    await asyncio.gather(*(write_and_look(writer) for writer in range(20)))
    writing = False
    await asyncio.gather(*readers)
    assert await store.count(THINGS) == 20 * 150


# -- changes and listeners -------------------------------------------------------------------


@dataclass
class Heard:
    """A listener that remembers."""

    calls: list[tuple[str, list[str] | None]] = field(default_factory=list)

    def __call__(self, collection: str, ids: Sequence[str] | None) -> None:
        self.calls.append((collection, None if ids is None else list(ids)))


async def test_the_counter_moves_with_every_change_and_only_then(store: Store) -> None:
    await store.define(Collection("others"))
    changing: list[list[Operation]] = [
        [insert("a")],
        [Update(THINGS, "a", set={"n": 1})],
        [DeleteWhere(THINGS, ALWAYS)],
        [insert("b"), insert("c")],
        [Delete(THINGS, "b")],
    ]
    for operations in changing:
        before, others = store.changes(THINGS), store.changes("others")
        await store.commit(operations)
        assert store.changes(THINGS) > before
        assert store.changes("others") == others
    harmless: list[list[Operation]] = [
        [],
        [Check(THINGS, ALWAYS)],
        [DeleteWhere(THINGS, Equals(("id",), "no such"))],
    ]
    before = store.changes(THINGS)
    for operations in harmless:
        await store.commit(operations)
    with pytest.raises(Duplicate):
        await store.commit([insert("d"), insert("c")])
    await store.find(Find(THINGS))
    assert store.changes(THINGS) == before


async def test_listeners_hear_what_changed(store: Store) -> None:
    heard = Heard()
    store.listen(heard)
    await store.commit([insert("a"), insert("b"), Update(THINGS, "a", set={"n": 1})])
    await store.commit([Check(THINGS, ALWAYS)])
    await store.commit([DeleteWhere(THINGS, ALWAYS)])
    await store.define(Collection("more"))
    await store.drop("more")
    assert heard.calls == [
        (THINGS, ["a", "b", "a"]),
        (THINGS, ["a", "b"]),
        ("more", None),
        ("more", None),
    ]


async def test_listeners_hear_nothing_of_a_refused_commit(store: Store) -> None:
    await store.commit([insert("a")])
    heard = Heard()
    store.listen(heard)
    with pytest.raises(Duplicate):
        await store.commit([insert("b"), insert("a")])
    assert heard.calls == []


async def test_listeners_hear_before_the_writer_is_answered(store: Store) -> None:
    """Whoever got an answer may rely on every cache having forgotten what changed."""
    order: list[str] = []
    store.listen(lambda collection, ids: order.append("heard"))
    await store.commit([insert("a")])
    order.append("answered")
    assert order == ["heard", "answered"]


# -- definitions, isolation, closing ---------------------------------------------------------


async def test_reads_and_writes_go_on_while_indexes_come_and_go(store: Store) -> None:
    await store.commit([insert(str(n), {"v": n}) for n in range(200)])
    defining = True

    async def redefine() -> None:
        nonlocal defining
        for turn in range(40):
            indexes = (Index("v", (("v", 1 if turn % 4 else -1),)),) if turn % 2 else ()
            await store.define(Collection(THINGS, indexes))
        defining = False

    async def read() -> int:
        reads = 0
        while defining:
            assert await find_ids(store, Equals(("v",), 7)) == ["7"]
            assert await store.get(THINGS, "7") is not None
            reads += 1
            await asyncio.sleep(0)
        return reads

    async def write() -> None:
        while defining:
            await store.commit([Update(THINGS, "3", increment={"n": 1}, guard=Equals(("v",), 3))])

    reads, *_ = await asyncio.gather(read(), redefine(), write(), write())
    assert reads > 0


async def test_a_read_of_a_collection_that_goes_away_says_so(store: Store) -> None:
    async def read() -> None:
        while True:
            await store.find(Find("brief"))
            await store.get("brief", "a")
            await asyncio.sleep(0)

    for _ in range(20):
        await store.define(Collection("brief", (Index("v", (("v", 1),)),)))
        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await store.drop("brief")
        with pytest.raises(UnknownCollection):
            await reading


async def test_what_was_accepted_before_closing_is_stored(open_database: OpenDatabase) -> None:
    database = await open_database()
    await database.control.define(Collection(THINGS))
    accepted = [
        asyncio.ensure_future(database.control.commit([insert(f"a{n}")])) for n in range(300)
    ]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*accepted)
    again = await open_database()
    assert await again.control.count(THINGS) == 300


async def test_a_closed_store_refuses_writes_with_a_clear_word(open_database: OpenDatabase) -> None:
    database = await open_database()
    await database.control.define(Collection(THINGS))
    await database.close()
    with pytest.raises(StoreUnavailable, match="shutting down"):
        await database.control.commit([insert("a")])


async def test_environments_share_nothing(database: Database) -> None:
    one, other = await database.environment("one"), await database.environment("other")
    await one.define(Collection(THINGS, (Index("v", (("v", 1),), unique=True),)))
    assert other.collection(THINGS) is None
    await other.define(Collection(THINGS))
    heard = Heard()
    other.listen(heard)
    before = other.changes(THINGS)
    await one.commit([insert("a", {"v": 1})])
    assert await other.get(THINGS, "a") is None
    assert other.changes(THINGS) == before
    assert heard.calls == []
    await other.commit([insert("a", {"v": 1}), insert("b", {"v": 1})])
    assert await one.count(THINGS) == 1
    assert database.control.collection(THINGS) is None
