"""One SQLite file as a document store."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias, cast

import apsw
import orjson

from bkend.store.conditions import ALWAYS, Condition
from bkend.store.errors import UnknownCollection
from bkend.store.interface import Collection, Find, Listener, Page, Result
from bkend.store.operations import Operation
from bkend.store.sqlite import ddl
from bkend.store.sqlite.apply import insertion_job, insertion_of, job_of
from bkend.store.sqlite.external import ChangeFile
from bkend.store.sqlite.files import open_file, refused
from bkend.store.sqlite.insertions import Row, insert_rows
from bkend.store.sqlite.plans import Planner
from bkend.store.sqlite.reader import Reader
from bkend.store.sqlite.recent import RecentBudget, RecentDocuments
from bkend.store.sqlite.writer import Changes, Writer

_REMEMBERED_TOTALS = 1024

Planners: TypeAlias = dict[str, Planner]


class SqliteStore:
    """See `bkend.store.interface.Store`. Everything but the jobs runs on the event loop."""

    def __init__(
        self,
        path: Path,
        pool: ThreadPoolExecutor,
        changed_outside: ChangeFile,
        recent: RecentBudget,
        *,
        serving: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.path = path
        self._serving = serving
        self._outside = changed_outside
        self._outside_seen = changed_outside.raw
        self._data_version = 0
        # Counted on the writer thread and on the event loop, so apart.
        self._committed = 0
        self._changed_outside = 0
        self._recent = RecentDocuments(recent)
        self._counters: dict[str, int] = {}
        self._everything = 0
        self._listeners: list[Listener] = []
        self._totals: dict[tuple[str, tuple[Any, ...]], tuple[int, int]] = {}
        connection = open_file(path)
        try:
            self._planners = _prepare(connection, path)
            self._reader = Reader(path, loop, pool, self._commits, hold_snapshots=serving)
        except BaseException:
            self._recent.close()
            connection.close()
            raise
        # The writer thread's own: what is defined, and what its open transaction defines.
        self._written = self._writing = self._planners
        self._written_for = self._outside_seen
        self._writer = Writer(
            connection,
            loop,
            name=path.stem,
            external=None if serving else changed_outside,
            beginning=self._begin_writing,
            may_insert=self._begin_inserting,
            insert=self._insert,
            committed=self._count_changes,
            delivered=self._tell_listeners,
            checkpointing=self._set_checkpointing,
        )

    # -- reads ------------------------------------------------------------------------------

    def at_once(self, collection: str, id: str) -> bytes | None:
        recent = self._recent
        if recent.delivered == self._committed:
            held = recent.get(collection, id)
            if held is not None:
                return held
        planner = self._planners.get(collection)
        if planner is None or not self._serving:
            return None
        try:
            # One row by its key is always quick enough for the loop: no budget, no threads.
            if recent.has_room:
                return self._read_ahead(planner, collection, id)
            found: bytes | None = self._reader.value(planner.by_id, (id,))
        except (apsw.SQLError, UnicodeEncodeError):
            return None
        if found is not None:
            recent.put(collection, id, found)
        return found

    def _read_ahead(self, planner: Planner, collection: str, id: str) -> bytes | None:
        """The document; those with the next ids, which were made soon after it, come along."""
        names, bodies = self._reader.value(planner.from_id, (id, id))
        ids = orjson.loads(names)
        if not ids or ids[0] != id:
            return None
        recent = self._recent
        first, *more = bodies.encode().split(b"\x1e")
        recent.put(collection, id, first)
        for name, body in zip(ids[1:], more, strict=True):
            if recent.get(collection, name) is None:
                recent.put(collection, name, body)
        found: bytes = first
        return found

    async def get(self, collection: str, id: str) -> bytes | None:
        found = self.at_once(collection, id)
        if found is not None:
            return found
        self._catch_up()
        planner = self._planner(collection)
        try:
            return cast("bytes | None", self._reader.value(planner.by_id, (id,)))
        except UnicodeEncodeError:  # half a surrogate pair: no document has such an id
            return None
        except apsw.SQLError:
            if await self._is_current(collection, planner):
                raise
            return await self.get(collection, id)

    async def find(self, query: Find) -> Page:
        self._catch_up()
        planner = self._planner(query.collection)
        try:
            return await self._find(planner, query)
        except apsw.SQLError:
            if await self._is_current(query.collection, planner):
                raise
            return await self.find(query)

    async def _find(self, planner: Planner, query: Find) -> Page:
        counter = self.changes(query.collection)
        statement = planner.remembered(query)
        if statement is None:
            statement = self._reader.inline(lambda c, snap: planner.statement(c, query, snap))
        key = (statement.total, statement.total_values)
        cached = self._totals.get(key)
        total = cached[1] if cached is not None and cached[0] == counter else None

        def work(connection: apsw.Connection, snapshot: int | None) -> tuple[bytes, int]:
            held = statement
            if not planner.holds(connection, held, snapshot):
                held = planner.statement(connection, query, snapshot)
            # Joining in Python is faster than SQLite's group_concat over the same rows.
            rows = [doc for (doc,) in connection.execute(held.page, held.page_values)]
            items = ("[" + ",".join(rows) + "]").encode()
            if total is not None:
                return items, total
            if len(rows) < query.limit and (rows or not query.offset):
                return items, query.offset + len(rows)  # the page is the last: nothing to count
            return items, connection.execute(held.total, held.total_values).get

        items, found = await self._reader.run(work, (statement.page, total is None))
        if total is None:
            self._remember_total(key, counter, found)
        return Page(items, found)

    async def count(self, collection: str, where: Condition = ALWAYS) -> int:
        return (await self.find(Find(collection, where, limit=0))).total

    async def _is_current(self, collection: str, planner: Planner) -> bool:
        """Whether the planner still fits the tables, which change just before we learn of it."""
        await self._writer.submit(lambda connection, changes: None)
        self.refresh()
        return self._planners.get(collection) is planner

    def _remember_total(self, key: tuple[str, tuple[Any, ...]], counter: int, total: int) -> None:
        if len(self._totals) >= _REMEMBERED_TOTALS:
            del self._totals[next(iter(self._totals))]
        self._totals[key] = (counter, total)

    # -- writes -----------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> list[Result]:
        self._catch_up()
        for operation in operations:
            self._planner(operation.collection)
        insertion = insertion_of(operations)
        if insertion is None:
            job = job_of(self._writing_planner, operations)
        else:
            job = insertion_job(self._writing_planner, insertion)
        results: list[Result] = await self._writer.submit(job, insertion=insertion)
        return results

    def _insert(self, connection: apsw.Connection, collection: str, rows: list[Row]) -> None:
        insert_rows(connection, self._writing_planner(collection).physical.table, rows)

    # -- definitions ------------------------------------------------------------------------

    def collection(self, name: str) -> Collection | None:
        planner = self._planners.get(name)
        return planner.physical.collection if planner else None

    async def define(self, *collections: Collection) -> None:
        def run(connection: apsw.Connection, changes: Changes) -> None:
            for collection in collections:
                ddl.define(connection, collection)
                changes[collection.name] = None
            loaded = _load(connection)
            ddl.complete(connection, (loaded[given.name].physical for given in collections))
            self._writing = loaded

        await self._writer.submit(run)
        # The pages that were written would stay in memory, half a megabyte of a new environment.
        await self._writer.submit(_let_pages_go)

    async def drop(self, collection: str) -> None:
        def run(connection: apsw.Connection, changes: Changes) -> None:
            ddl.drop(connection, collection)
            changes[collection] = None
            self._writing = _load(connection)

        await self._writer.submit(run)

    def _planner(self, collection: str) -> Planner:
        return _named(self._planners, collection)

    def _writing_planner(self, collection: str) -> Planner:
        return _named(self._writing, collection)

    def _begin_writing(self, connection: apsw.Connection) -> None:
        """Start from what is committed; nobody else can define anything until we are done."""
        outside = self._outside.raw
        if not self._serving or outside != self._written_for or outside[0] % 2:
            self._written_for = outside
            self._written = _load(connection)
        self._writing = self._written

    def _begin_inserting(self) -> bool:
        """Whether what is known of the tables is what is committed. Should another process change
        them at this moment, a table that is gone is one that SQLite does not find."""
        outside = self._outside.raw
        self._writing = self._written
        return self._serving and outside == self._written_for and not outside[0] % 2

    def _reload_definitions(self) -> None:
        while True:
            commits = self._commits()
            self._planners = self._reader.inline(lambda connection, snapshot: _load(connection))
            if self._commits() == commits:  # else the writer may have defined more meanwhile
                return

    # -- changes ----------------------------------------------------------------------------

    counts_every_change = True

    def changes(self, collection: str) -> int:
        self._catch_up()
        return self._counters.get(collection, 0) + self._everything

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def refresh(self) -> None:
        if not self._serving:
            self._catch_up()
        elif self._outside.raw != self._outside_seen or self._outside_seen[0] % 2:
            if self._outside.settled():
                self._outside_seen = self._outside.raw
            self._forget()

    def _catch_up(self) -> None:
        """In a command's process, notice commits of the server, which does not mark them."""
        if self._serving:
            return
        version = self._reader.inline(lambda c, snapshot: c.execute("PRAGMA data_version").get)
        if version != self._data_version:
            self._data_version = version
            self._forget()

    def _forget(self) -> None:
        """Anything may have changed."""
        self._changed_outside += 1
        self._everything += 1
        self._recent.clear()
        self._reload_definitions()
        for listener in self._listeners:
            listener("*", None)

    def _count_changes(self, changes: Changes) -> None:
        # The snapshot number first: whoever sees a new counter, or new definitions, must also
        # take a new snapshot.
        self._committed += 1
        for collection in changes:
            self._counters[collection] = self._counters.get(collection, 0) + 1
        if self._writing is not self._written:
            self._planners = self._written = self._writing

    def _tell_listeners(self, changes: Changes) -> None:
        for collection, ids in changes.items():
            self._recent.forget(collection, ids)
        self._recent.delivered += 1
        for collection, ids in changes.items():
            for listener in self._listeners:
                listener(collection, ids)

    def _commits(self) -> int:
        """Moves with every commit of anybody."""
        return self._committed + self._changed_outside

    def _set_checkpointing(self, value: bool) -> None:
        self._reader.checkpointing = value

    # -- upkeep -----------------------------------------------------------------------------

    async def ping(self) -> None:
        """Read and write once; raises `StoreUnavailable` when either does not work."""
        # There and back again: SQLite leaves out a write that changes nothing.
        there_and_back = "UPDATE bkend_format SET version=-version;" * 2
        await self._writer.submit(lambda c, changes: c.execute(there_and_back))
        await self._reader.run(lambda c, snapshot: c.execute("SELECT 1").get, "ping")

    async def check_integrity(self, *, quick: bool = False) -> list[str]:
        pragma = "PRAGMA quick_check" if quick else "PRAGMA integrity_check"

        def work(connection: apsw.Connection, snapshot: int | None) -> list[str]:
            try:
                rows = [text for (text,) in connection.execute(pragma)]
            except (apsw.CorruptError, apsw.NotADBError) as error:
                return [str(error)]
            return [] if rows == ["ok"] else rows

        return await self._reader.run(work, "integrity", seconds=math.inf)

    async def close(self) -> None:
        """Finish the accepted writes, then close every connection."""
        self._reader.release()
        await self._writer.close()
        self._reader.close()
        self._recent.close()


def _prepare(connection: apsw.Connection, path: Path) -> Planners:
    try:
        connection.execute("BEGIN IMMEDIATE")
        ddl.prepare(connection)
        loaded = _load(connection)
        ddl.complete(connection, (planner.physical for planner in loaded.values()))
        connection.execute("COMMIT")
    except apsw.Error as error:
        raise refused(error, path) from error
    return loaded


def _let_pages_go(connection: apsw.Connection, changes: Changes) -> None:
    connection.execute("PRAGMA shrink_memory")


def _load(connection: apsw.Connection) -> Planners:
    return {name: Planner(physical) for name, physical in ddl.load(connection).items()}


def _named(planners: Planners, collection: str) -> Planner:
    try:
        return planners[collection]
    except KeyError:
        raise UnknownCollection(collection) from None
