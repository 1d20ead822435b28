"""The one writer of a database file: a thread that commits many requests with one fsync.

Each job runs in its own savepoint of a shared transaction, and what only adds documents goes in by
one statement; the answers go out after the commit, so what was acknowledged is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeAlias

import apsw

from bkend.store.errors import StoreUnavailable
from bkend.store.sqlite.external import ChangeFile
from bkend.store.sqlite.files import unavailable
from bkend.store.sqlite.insertions import MOST_AT_ONCE, Insertion, Row

_GROUP_LIMIT = 512
_CHECKPOINT_PAGES = 2000
# Errors of one statement, after which SQLite keeps the transaction and what came before.
_OWN_FAULTS = (
    apsw.AbortError,
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.RangeError,
    apsw.SQLError,
    apsw.TooBigError,
)

Changes: TypeAlias = dict[str, list[str] | None]
"""Changed ids by collection; None means "anything in it"."""


@dataclass(slots=True)
class Job:
    """One atomic piece of work and where its outcome goes."""

    run: Callable[[apsw.Connection, Changes], Any]
    future: asyncio.Future[Any]
    insertion: Insertion | None = None
    changes: Changes = field(default_factory=dict)
    outcome: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the write connection. `beginning` and `committed` run on the writer thread, right
    after BEGIN and COMMIT; `delivered` on the event loop, before the callers learn of it.
    `may_insert` says whether rows can be added without `beginning`."""

    def __init__(
        self,
        connection: apsw.Connection,
        loop: asyncio.AbstractEventLoop,
        *,
        name: str,
        external: ChangeFile | None,
        beginning: Callable[[apsw.Connection], None],
        may_insert: Callable[[], bool],
        insert: Callable[[apsw.Connection, str, list[Row]], None],
        committed: Callable[[Changes], None],
        delivered: Callable[[Changes], None],
        checkpointing: Callable[[bool], None],
    ) -> None:
        self._connection = connection
        self._loop = loop
        self._external = external
        self._beginning = beginning
        self._may_insert = may_insert
        self._insert = insert
        self._committed = committed
        self._delivered = delivered
        self._checkpointing = checkpointing
        self._wal_pages = 0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        connection.set_wal_hook(self._note_wal)
        self._thread = threading.Thread(target=self._work, name=f"writer-{name}", daemon=True)
        self._thread.start()

    def submit(
        self,
        run: Callable[[apsw.Connection, Changes], Any],
        *,
        insertion: Insertion | None = None,
    ) -> asyncio.Future[Any]:
        """Queue a job; the future resolves once its effects are durable.

        `insertion` says that the job only adds that document, so that it may be carried out
        together with its neighbours.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailable("the server is shutting down"))
        else:
            self._jobs.put(Job(run, future, insertion))
        return future

    async def close(self) -> None:
        """Finish the queue, then close the connection."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    # -- the thread -------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            group, last = self._next_group()
            if group:
                self._commit(group)
                self._checkpoint()
            if last:
                self._connection.close()
                return

    def _next_group(self) -> tuple[list[Job], bool]:
        first = self._jobs.get()
        if first is None:
            return [], True
        group = [first]
        while len(group) < _GROUP_LIMIT:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, group: list[Job]) -> None:
        try:
            if self._external is None:
                self._transaction(group)
            else:
                with self._external.changing():
                    self._transaction(group)
        except apsw.Error as error:
            self._fail(group, unavailable(error))
        except Exception as error:  # the thread must outlive any job
            self._fail(group, error)
        changes: Changes = {}
        for job in group:
            if job.error is None:
                merge_changes(changes, job.changes)
        if changes:
            self._committed(changes)
        self._loop.call_soon_threadsafe(self._deliver, group, changes)

    def _transaction(self, group: list[Job]) -> None:
        execute = self._connection.execute
        if self._connection.in_transaction:  # a rollback failed earlier
            execute("ROLLBACK")
        if self._insert_at_once(group):
            return
        execute("BEGIN IMMEDIATE")
        try:
            self._beginning(self._connection)
            for collection, jobs in groupby(group, _inserts_into):
                together = list(jobs)
                if collection is None or not self._insert_together(collection, together):
                    for job in together:
                        self._run(job)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _insert_at_once(self, group: list[Job]) -> bool:
        """Carry out a group that only inserts into one collection as one statement, which is its
        own transaction; False, and nothing is done, when it is another group or is refused.

        A transaction of three statements would have to win the interpreter back three times.
        """
        if len(group) > MOST_AT_ONCE or not self._may_insert():
            return False
        collections = {_inserts_into(job) for job in group}
        collection = collections.pop()
        if collections or collection is None:
            return False
        try:
            self._insert_rows(collection, group)
        except Exception as error:
            if isinstance(error, apsw.Error) and not isinstance(error, _OWN_FAULTS):
                raise
            return False
        return True

    def _insert_together(self, collection: str, jobs: list[Job]) -> bool:
        """Carry out jobs that each insert one document; False when one of them is refused."""
        if len(jobs) == 1:
            return False
        execute = self._connection.execute
        execute("SAVEPOINT jobs")
        try:
            self._insert_rows(collection, jobs)
        except Exception as error:
            if not self._is_own_fault(error):
                raise
            execute("ROLLBACK TO jobs")
            execute("RELEASE jobs")
            return False
        execute("RELEASE jobs")
        return True

    def _insert_rows(self, collection: str, jobs: list[Job]) -> None:
        insertions = [job.insertion for job in jobs if job.insertion is not None]
        self._insert(self._connection, collection, [found.row for found in insertions])
        for job, insertion in zip(jobs, insertions, strict=True):
            job.outcome = [insertion.body]
            job.changes[collection] = [insertion.row[0]]

    def _run(self, job: Job) -> None:
        execute = self._connection.execute
        if job.insertion is None:
            execute("SAVEPOINT job")
        try:
            job.outcome = job.run(self._connection, job.changes)
        except Exception as error:
            if not self._is_own_fault(error):
                raise
            job.error = error
        if job.insertion is not None:
            return
        if job.error is not None:
            execute("ROLLBACK TO job")
        execute("RELEASE job")

    def _is_own_fault(self, error: Exception) -> bool:
        """Whether the job alone is to blame, so that its neighbours can still be stored."""
        if not isinstance(error, apsw.Error):
            return True
        return isinstance(error, _OWN_FAULTS) and self._connection.in_transaction

    @staticmethod
    def _fail(group: Sequence[Job], error: BaseException) -> None:
        for job in group:
            if job.error is None:
                job.error = error
                job.changes.clear()

    def _deliver(self, group: list[Job], changes: Changes) -> None:
        if changes:
            self._delivered(changes)
        for job in group:
            if job.future.cancelled():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.outcome)

    # -- the write-ahead log ----------------------------------------------------------------

    def _note_wal(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._wal_pages = pages
        return 0

    def _checkpoint(self) -> None:
        """Copy the log into the file, after the answers: readers let go of old snapshots
        until it is all copied and the next commit may start the log anew."""
        if self._wal_pages < _CHECKPOINT_PAGES:
            return
        self._checkpointing(True)
        try:
            pages, copied = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            return  # the log stays and the next commit tries again
        if pages == copied:
            self._wal_pages = 0
            self._checkpointing(False)


def _inserts_into(job: Job) -> str | None:
    return job.insertion.collection if job.insertion is not None else None


def merge_changes(into: Changes, more: Changes) -> None:
    """Add changed ids; "anything" wins over a list."""
    for collection, ids in more.items():
        held = into.setdefault(collection, [])
        if ids is None or held is None:
            into[collection] = None
        else:
            held.extend(ids)
