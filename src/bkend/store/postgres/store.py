"""One schema of a PostgreSQL database as a document store."""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from bkend.store.conditions import ALWAYS, Condition
from bkend.store.errors import Missing, StoreUnavailable, UnknownCollection
from bkend.store.interface import Collection, Find, Listener, Page, Result
from bkend.store.operations import Delete, Operation, Update
from bkend.store.postgres import ddl
from bkend.store.postgres.apply import carry_out, isolation_of, tell
from bkend.store.postgres.failures import Failure, explained
from bkend.store.postgres.news import CHANNEL, Changes, News, Origin, payload
from bkend.store.postgres.plans import Planner, Statement, text_leaves
from bkend.store.postgres.pool import Pool
from bkend.store.postgres.resolve import resolve
from bkend.store.postgres.rows import Row, rows_of
from bkend.store.postgres.single import Single
from bkend.store.postgres.storable import escape, is_text
from bkend.store.postgres.totals import Totals

_MOST_TRIES = 40
_FIRST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.1
_GONE = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_AGAIN_FROM_START = (*_GONE, *_AGAIN)

T = TypeVar("T")


class PostgresStore:
    """See `bkend.store.interface.Store`."""

    counts_every_change = False

    def __init__(
        self, pool: Pool, origin: Origin, is_deaf: Callable[[], bool], totals: Totals | None
    ) -> None:
        self.schema = origin.schema
        self._origin = origin
        self._totals = totals
        self._pool = pool
        self._single = Single(pool, origin)
        self._is_deaf = is_deaf
        self._planners: dict[str, Planner] = {}
        self._counters: dict[str, int] = {}
        self._everything = 0
        self._untrusted = itertools.count(1)
        self._listeners: list[Listener] = []
        self._closed = False
        self._at_work = 0
        self._done = asyncio.Event()

    # -- reads ------------------------------------------------------------------------------

    async def get(self, collection: str, id: str) -> bytes | None:
        if not is_text(id):
            await self._planner(collection)
            return None

        return await self._read(lambda: self._get(collection, id), collection)

    def at_once(self, collection: str, id: str) -> bytes | None:
        return None

    async def _get(self, collection: str, id: str) -> bytes | None:
        planner = self._planners.get(collection) or await self._planner(collection)
        row = await self._pool.fetchrow(planner.get, escape(id))
        return None if row is None else row[0]

    async def find(self, query: Find) -> Page:
        if query.where is not ALWAYS and next(text_leaves(query.where), None) is not None:
            return await self._serve(lambda: self._find_text(query), query.collection)
        return await self._read(lambda: self._find(query), query.collection)

    async def _read(self, work: Callable[[], Awaitable[T]], collection: str) -> T:
        """Do what changes nothing; the long way round only when it fails."""
        try:
            return await work()
        except _AGAIN_FROM_START:
            return await self._serve(work, collection)
        except Failure as error:
            raise explained(error) from error

    async def count(self, collection: str, where: Condition = ALWAYS) -> int:
        return (await self.find(Find(collection, where, limit=0))).total

    async def _find(self, query: Find) -> Page:
        planner = self._planners.get(query.collection) or await self._planner(query.collection)
        statement = planner.statement(query)
        totals = self._totals
        if totals is not None and totals.has(statement.total_key):
            row = await self._pool.fetchrow(statement.page, *statement.page_values)
            assert row is not None
            total = totals.at(statement.total_key, row[1])
            if total is not None:
                return Page(row[0], total)
        return await self._find_and_count(planner, statement)

    async def _find_and_count(self, planner: Planner, statement: Statement) -> Page:
        totals, table = self._totals, planner.physical.table
        begun = totals.begin(table) if totals is not None else None
        row = await self._pool.fetchrow(statement.both, *statement.values)
        assert row is not None
        items, version, total, settled = row
        if totals is not None and begun is not None:
            key = statement.total_key
            totals.learn(table, key, begun, version=version, settled=settled, total=total)
        return Page(items, total)

    async def _find_text(self, query: Find) -> Page:
        """A page whose condition needs a look at strings: all under one snapshot."""
        planner = await self._planner(query.collection)
        async with self._pool.transaction("REPEATABLE READ") as connection:
            texts = await resolve(connection, planner, query.where)
            statement = planner.statement(query, texts)
            row = await connection.fetchrow(statement.both, *statement.values)
        assert row is not None
        return Page(row[0], row[2])

    # -- writes -----------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> list[Result]:
        if self._closed:
            raise StoreUnavailable("the server is shutting down")
        for operation in operations:
            if operation.collection not in self._planners:
                await self._serve(functools.partial(self._planner, operation.collection))
            if isinstance(operation, (Update, Delete)) and not is_text(operation.id):
                raise Missing(operation.collection, operation.id)
        if not operations:
            return []
        rows = rows_of(operations)
        names = {operation.collection for operation in operations}
        changes: Changes = {}
        results = await self._serve(lambda: self._commit(operations, rows, changes), *names)
        self._note(changes)
        return results

    async def _commit(
        self, operations: Sequence[Operation], rows: Sequence[Row | None], changes: Changes
    ) -> list[Result]:
        changes.clear()
        planners = {op.collection: await self._planner(op.collection) for op in operations}
        done = await self._single.commit(planners, operations, rows, changes)
        if done is not None:
            return done
        changes.clear()
        async with self._pool.transaction(isolation_of(operations)) as connection:
            results = await carry_out(connection, planners.__getitem__, operations, rows, changes)
            await tell(connection, self._origin, changes)
        return results

    async def _serve(self, work: Callable[[], Awaitable[T]], *collections: str) -> T:
        """Do the work; again while others get in its way, and when a table was made anew."""
        self._at_work += 1
        try:
            return await self._insist(work, collections)
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._done.set()

    async def _insist(self, work: Callable[[], Awaitable[T]], collections: Sequence[str]) -> T:
        pause = _FIRST_PAUSE_SECONDS
        failure: BaseException = TimeoutError()
        for _ in range(_MOST_TRIES):
            try:
                return await work()
            except _GONE as error:
                if not await self._are_renewed(collections):
                    raise explained(error) from error
            except _AGAIN as error:
                failure = error
                await asyncio.sleep(pause * random.random())  # noqa: S311
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except asyncpg.UniqueViolationError as error:  # of an index made just now
                failure = error
                await self._serve(self.reload)
            except Failure as error:
                raise explained(error) from error
        raise explained(failure) from failure

    # -- definitions ------------------------------------------------------------------------

    def collection(self, name: str) -> Collection | None:
        planner = self._planners.get(name)
        return planner.physical.collection if planner else None

    async def define(self, *collections: Collection) -> None:
        async def change(connection: asyncpg.Connection[Any]) -> None:
            await ddl.define(connection, self.schema, collections)

        await self._redefine([collection.name for collection in collections], change)

    async def drop(self, collection: str) -> None:
        await self._redefine(
            [collection], lambda connection: ddl.drop(connection, self.schema, collection)
        )

    async def _redefine(
        self, names: list[str], change: Callable[[asyncpg.Connection[Any]], Awaitable[None]]
    ) -> None:
        changes: Changes = dict.fromkeys(names)

        async def work() -> dict[str, Planner]:
            async with self._pool.transaction(seconds=None) as connection:
                await connection.execute("SET LOCAL statement_timeout=0")
                await ddl.lock(connection, self.schema)
                await change(connection)
                loaded = await ddl.load(connection, self.schema)
                news = payload(self._origin, changes, redefined=True)
                await connection.execute("SELECT pg_notify($1::text,$2::text)", CHANNEL, news)
            return {name: Planner(physical) for name, physical in loaded.items()}

        if self._closed:
            raise StoreUnavailable("the server is shutting down")
        self._planners = await self._serve(work)
        self._note(changes)

    async def reload(self) -> None:
        """Read the definitions anew."""
        async with self._pool.transaction() as connection:
            loaded = await ddl.load(connection, self.schema)
        self._planners = {
            name: held
            if (held := self._planners.get(name)) is not None and held.physical == physical
            else Planner(physical)
            for name, physical in loaded.items()
        }

    async def _planner(self, collection: str) -> Planner:
        found = self._planners.get(collection)
        if found is None:  # another process may have made it just now
            await self.reload()
            found = self._planners.get(collection)
            if found is None:
                raise UnknownCollection(collection)
        return found

    async def _are_renewed(self, collections: Sequence[str]) -> bool:
        """Whether a table that is gone has a successor; UnknownCollection when it has none."""
        if not collections:
            return False  # it is the registry itself
        before = [self._planners.get(name) for name in collections]
        await self._serve(self.reload)
        for name in collections:
            if name not in self._planners:
                raise UnknownCollection(name)
        return before != [self._planners[name] for name in collections]

    # -- changes ----------------------------------------------------------------------------

    def changes(self, collection: str) -> int:
        if self._is_deaf():
            return -next(self._untrusted)  # never the same: nothing may be remembered
        return self._counters.get(collection, 0) + self._everything

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def refresh(self) -> None:
        """Word of changes comes by itself."""

    def hear(self, news: News) -> None:
        """Another process committed something; what it defined is already loaded."""
        if "*" in news.changes:
            self.forget()
        else:
            self._note(news.changes)

    def forget(self) -> None:
        """Anything may have changed."""
        self._everything += 1
        self._tell("*", None)

    def _note(self, changes: Changes) -> None:
        for collection, ids in changes.items():
            self._counters[collection] = self._counters.get(collection, 0) + 1
            self._tell(collection, ids)

    def _tell(self, collection: str, ids: Sequence[str] | None) -> None:
        for listener in self._listeners:
            listener(collection, ids)

    # -- upkeep -----------------------------------------------------------------------------

    async def check_integrity(self, *, quick: bool = False) -> list[str]:
        async def work() -> list[str]:
            async with self._pool.transaction() as connection:
                loaded = await ddl.load(connection, self.schema)
                return await ddl.problems(connection, self.schema, loaded.values())

        return await self._serve(work)

    async def close(self) -> None:
        """Accept no more writes, and finish what was accepted."""
        self._closed = True
        while self._at_work:
            self._done.clear()
            await self._done.wait()
