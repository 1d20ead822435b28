"""One SQLite file as a document store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from bkend.store.conditions import ALWAYS, Condition
from bkend.store.errors import UnknownCollection
from bkend.store.interface import Collection, Find, Listener, Page, Result
from bkend.store.operations import Operation
from bkend.store.sqlite import ddl
from bkend.store.sqlite.apply import is_single_statement, job_of
from bkend.store.sqlite.external import ChangeFile
from bkend.store.sqlite.files import open_file, unavailable
from bkend.store.sqlite.plans import Planner, Statement
from bkend.store.sqlite.reader import Reader
from bkend.store.sqlite.writer import Changes, Writer

_REMEMBERED_TOTALS = 1024


class SqliteStore:
    """See `bkend.store.interface.Store`. Everything but the jobs runs on the event loop."""

    def __init__(
        self,
        path: Path,
        pool: ThreadPoolExecutor,
        changed_outside: ChangeFile,
        *,
        serving: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.path = path
        self._outside = changed_outside
        self._outside_seen = changed_outside.raw
        self._commits = 0
        self._counters: dict[str, int] = {}
        self._everything = 0
        self._listeners: list[Listener] = []
        self._totals: dict[tuple[str, tuple[Any, ...]], tuple[int, int]] = {}
        connection = open_file(path)
        try:
            self._planners = _prepare(connection)
        except apsw.Error as error:
            connection.close()
            raise unavailable(error) from error
        self._reader = Reader(path, loop, pool, lambda: self._commits, hold_snapshots=serving)
        self._writer = Writer(
            connection,
            loop,
            name=path.stem,
            external=None if serving else changed_outside,
            committed=self._count_changes,
            delivered=self._tell_listeners,
            checkpointing=self._set_checkpointing,
        )

    # -- reads ------------------------------------------------------------------------------

    async def get(self, collection: str, id: str) -> bytes | None:
        sql = f"SELECT CAST(doc AS BLOB) FROM {self._planner(collection).physical.table} WHERE id=?"
        found: bytes | None = await self._reader.run(lambda c: c.execute(sql, (id,)).get, sql)
        return found

    async def find(self, query: Find) -> Page:
        planner = self._planner(query.collection)
        counter = self.changes(query.collection)
        statement = self._reader.inline(lambda c: planner.statement(c, query, counter))
        key = (statement.total, statement.total_values)
        cached = self._totals.get(key)
        if cached is not None and cached[0] == counter:
            total: int | None = cached[1]
        else:
            total = None

        def work(connection: apsw.Connection) -> tuple[bytes, int]:
            held = _current(planner, connection, statement, query, counter, self.changes)
            items: bytes = connection.execute(held.page, held.page_values).get
            if total is not None:
                return items, total
            return items, connection.execute(held.total, held.total_values).get

        items, found = await self._reader.run(work, statement.page)
        if total is None:
            self._remember_total(key, counter, found)
        return Page(items, found)

    async def count(self, collection: str, where: Condition = ALWAYS) -> int:
        return (await self.find(Find(collection, where, limit=0))).total

    def _remember_total(self, key: tuple[str, tuple[Any, ...]], counter: int, total: int) -> None:
        if len(self._totals) >= _REMEMBERED_TOTALS:
            del self._totals[next(iter(self._totals))]
        self._totals[key] = (counter, total)

    # -- writes -----------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> list[Result]:
        for operation in operations:
            self._planner(operation.collection)
        job = job_of(self._planner, operations)
        results: list[Result] = await self._writer.submit(
            job, single_statement=is_single_statement(operations)
        )
        return results

    # -- definitions ------------------------------------------------------------------------

    def collection(self, name: str) -> Collection | None:
        planner = self._planners.get(name)
        return planner.physical.collection if planner else None

    async def define(self, *collections: Collection) -> None:
        def run(connection: apsw.Connection, changes: Changes) -> dict[str, ddl.Physical]:
            for collection in collections:
                ddl.define(connection, collection)
                changes[collection.name] = None
            return ddl.load(connection)

        await self._redefine(run)

    async def drop(self, collection: str) -> None:
        def run(connection: apsw.Connection, changes: Changes) -> dict[str, ddl.Physical]:
            ddl.drop(connection, collection)
            changes[collection] = None
            return ddl.load(connection)

        await self._redefine(run)

    async def _redefine(
        self, run: Callable[[apsw.Connection, Changes], dict[str, ddl.Physical]]
    ) -> None:
        def run_and_install(connection: apsw.Connection, changes: Changes) -> None:
            loaded = run(connection, changes)
            # Later jobs of the same group must already see the new tables.
            self._planners = {name: Planner(physical) for name, physical in loaded.items()}

        try:
            await self._writer.submit(run_and_install)
        except BaseException:
            self._reload_definitions()
            raise

    def _reload_definitions(self) -> None:
        loaded = self._reader.inline(ddl.load)
        self._planners = {name: Planner(physical) for name, physical in loaded.items()}

    def _planner(self, collection: str) -> Planner:
        try:
            return self._planners[collection]
        except KeyError:
            raise UnknownCollection(collection) from None

    # -- changes ----------------------------------------------------------------------------

    def changes(self, collection: str) -> int:
        return self._counters.get(collection, 0) + self._everything

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def refresh(self) -> None:
        if self._outside.raw == self._outside_seen and not self._outside_seen[0] % 2:
            return
        if self._outside.settled():
            self._outside_seen = self._outside.raw
        self._commits += 1
        self._everything += 1
        self._reload_definitions()
        for listener in self._listeners:
            listener("*", None)

    def _count_changes(self, changes: Changes) -> None:
        # The snapshot number first: whoever sees a new counter must also take a new snapshot.
        self._commits += 1
        for collection in changes:
            self._counters[collection] = self._counters.get(collection, 0) + 1

    def _tell_listeners(self, changes: Changes) -> None:
        for collection, ids in changes.items():
            for listener in self._listeners:
                listener(collection, ids)

    def _set_checkpointing(self, value: bool) -> None:
        self._reader.checkpointing = value

    # -- upkeep -----------------------------------------------------------------------------

    async def check_integrity(self) -> list[str]:
        def work(connection: apsw.Connection) -> list[str]:
            rows = [text for (text,) in connection.execute("PRAGMA integrity_check")]
            return [] if rows == ["ok"] else rows

        return await self._reader.run(work, "integrity")

    async def close(self) -> None:
        """Finish the accepted writes, then close every connection."""
        self._reader.release()
        await self._writer.close()
        self._reader.close()


def _prepare(connection: apsw.Connection) -> dict[str, Planner]:
    connection.execute("BEGIN IMMEDIATE")
    ddl.prepare(connection)
    loaded = ddl.load(connection)
    connection.execute("COMMIT")
    return {name: Planner(physical) for name, physical in loaded.items()}


def _current(
    planner: Planner,
    connection: apsw.Connection,
    statement: Statement,
    query: Find,
    counter: int,
    changes: Callable[[str], int],
) -> Statement:
    """The statement, compiled anew when the collection changed since it was chosen."""
    if changes(query.collection) == counter:
        return statement
    return Planner(planner.physical).statement(connection, query, counter)
