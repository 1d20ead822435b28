"""Records: create, read, list, update, delete, under the caller's permissions (20 §4, 21 §9).

Answers are the stored bytes wherever they can be. The checks run in the order of 20 §1.3 from
step 6 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeAlias

import orjson

from bkend.caller import Caller
from bkend.clock import Clock
from bkend.errors import Detail, ScopeInsufficient
from bkend.ids import RecordIds
from bkend.query.errors import InvalidData
from bkend.query.planner import ListPlan, parse_select, plan_list, query_parameters
from bkend.records.access import Access, placed, require_writable, unwritable, view_of
from bkend.records.errors import (
    PermissionDenied,
    RecordNotFound,
    SystemTableAccess,
    TableNotFound,
)
from bkend.records.imports import NOTHING_KEPT, kept_of
from bkend.records.pages import list_body
from bkend.records.select import shape_item, shape_items
from bkend.records.system import SystemRecords
from bkend.slow_queries.watch import Watch
from bkend.store import (
    Conflict,
    Delete,
    DeleteWhere,
    Duplicate,
    Insert,
    Missing,
    OneOf,
    Store,
    Update,
)
from bkend.tables.errors import DuplicateValue
from bkend.tables.models import SYSTEM_TABLES
from bkend.tables.permissions import Operation
from bkend.tables.service import Tables
from bkend.tables.validation import MOST_DETAILS, MalformedBody

_Details: TypeAlias = list[Detail]

MOST_CREATED = 1000
_LONGEST_CREATOR = 64
_REMEMBERED_PLANS = 512
_LARGEST_ANSWER = 16 * 1024
_LONGEST_REMEMBERED = 4096


class Records:
    """The data API of one environment. Every operation starts with `admit`."""

    def __init__(
        self,
        store: Store,
        tables: Tables,
        clock: Clock,
        ids: RecordIds,
        slow: Watch,
        raw: str = "",
    ) -> None:
        self._store = store
        self._tables = tables
        self._clock = clock
        self._ids = ids
        self._slow = slow
        self._system = SystemRecords(store, raw)

    async def admit(self, caller: Caller, name: str, operation: Operation) -> Access:
        """Scope, system table, existence, permission: steps 6 to 9 of §1.3, before any body."""
        if not caller.key.allows(name, operation):
            raise ScopeInsufficient(f"{name}:{operation}")
        standing = caller.standing
        if name in SYSTEM_TABLES:
            if standing.group != "admin" or operation not in ("read", "list"):
                raise SystemTableAccess
            return Access(caller, self._system.table(name), "yes", standing)
        live = self._tables.cached(name) or await self._tables.get(name)
        closed = live is None or not live.permissions.are_configured
        if closed and name.startswith("_") and standing.group != "admin":
            raise SystemTableAccess
        if live is None:
            raise TableNotFound(name)
        decision = live.permissions.decide(operation, standing)
        if decision == "no":
            raise PermissionDenied(operation)
        return Access(caller, live, decision, standing)

    # -- read -------------------------------------------------------------------------------

    async def get(self, access: Access, id: str, query_string: str) -> bytes:
        """One record."""
        select = parse_select(query_parameters(query_string)) if query_string else None
        if access.live.table.name in SYSTEM_TABLES:
            return await self._system.get(access.live.table.name, id, select)
        body = await self._store.get(access.collection, id)
        if body is None:
            raise RecordNotFound
        if access.decision == "own" and not access.owns(body):
            raise PermissionDenied("read")
        return shape_item(body, access.shape, select)

    def get_at_once(self, access: Access, id: str) -> bytes | None:
        """What `get` without a query would answer, where that needs no waiting."""
        return self._store.at_once(access.collection, id) if access.reads_whole else None

    def list_at_once(self, access: Access, query_string: str) -> bytes | None:
        """What `list` would answer, if it was asked before and no row changed since."""
        live = access.live
        answered = live.answers.get((*_seen(access), query_string))
        if answered is None or answered[0] != self._store.changes(access.collection):
            return None
        return answered[1]

    async def list(self, access: Access, query_string: str) -> bytes:
        """A page with its pagination; small ones are kept until the table's rows change.

        Plans and answers are kept by what the caller may see: callers who see the same share
        them, and what is a user's own stays under the user's id.
        """
        live = access.live
        if live.table.name in SYSTEM_TABLES:
            return await self._system.list(live.table.name, query_string)
        kept = self.list_at_once(access, query_string)
        if kept is not None:
            return kept
        counter = self._store.changes(access.collection)
        seen = _seen(access)
        key = (*seen, query_string)
        plan: ListPlan | None = live.plans.get(key)
        if plan is None:
            plan = self._plan(access, seen, query_string)
            if len(query_string) <= _LONGEST_REMEMBERED:
                _remember(live.plans, key, plan)
        begun = perf_counter()
        try:
            page = await self._store.find(plan.find)
        finally:  # what was given up took longest
            seconds = perf_counter() - begun
            if seconds >= self._slow.seconds:
                self._slow.note(live.table, plan.find, seconds)
        items = shape_items(page.items, access.shape, plan.select)
        body = list_body(items, page.total, plan)
        keeps = self._store.counts_every_change and len(body) <= _LARGEST_ANSWER
        if keeps and len(query_string) <= _LONGEST_REMEMBERED:
            _remember(live.answers, key, (counter, body))
        return body

    def _plan(self, access: Access, seen: tuple[int, str], query_string: str) -> ListPlan:
        live = access.live
        view = live.views.get(seen)
        if view is None:
            view = view_of(access)
            _remember(live.views, seen, view)
        return plan_list(live.table, view, query_string)

    # -- write ------------------------------------------------------------------------------

    async def create(self, access: Access, body: bytes, *, imports: bool = False) -> bytes:
        """One new record, or with an array body many of them, all or none (20 §4.1, §4.2).

        With `imports`, a secret key's bodies keep their id and times (20 §2).
        """
        given = _decode(body)
        imports = imports and access.caller.key.is_secret
        if isinstance(given, list):
            return await self._create_many(access, given, imports)
        if not isinstance(given, dict):
            raise InvalidData("The body is a JSON object, or an array of objects")
        access = await self._current(access)
        require_writable(unwritable(access, "create"), [("", given)], own=True)
        insert, problems = self._insert(access, given, self._clock.now_ms(), imports)
        if problems:
            raise InvalidData(problems[0]["message"], problems)
        try:
            [stored] = await self._store.commit([insert])
        except Duplicate as error:
            raise _duplicate(error) from error
        assert isinstance(stored, bytes)
        return shape_item(stored, access.shape, None)

    async def _create_many(self, access: Access, given: Sequence[Any], imports: bool) -> bytes:
        if not 1 <= len(given) <= MOST_CREATED:
            raise InvalidData(f"An array body holds 1 to {MOST_CREATED} objects")
        access = await self._current(access)
        require_writable(unwritable(access, "create"), placed(given), own=True)
        now = self._clock.now_ms()
        problems: list[Detail] = []
        inserts: list[Insert] = []
        for place, one in enumerate(given):
            if len(problems) >= MOST_DETAILS:
                break
            if not isinstance(one, dict):
                message = "every element is an object"
                problems.append({"field": f"[{place}]", "rule": "type", "message": message})
                continue
            insert, wrong = self._insert(access, one, now, imports)
            problems.extend(_placed(detail, place) for detail in wrong)
            inserts.append(insert)
        if problems:
            first = problems[0]
            raise InvalidData(f"{first['field']}: {first['message']}", problems[:MOST_DETAILS])
        try:
            stored = await self._store.commit(inserts)
        except Duplicate as error:
            raise _duplicate(error, f"[{error.position}].") from error
        shape = access.shape
        bodies = (shape_item(body, shape, None) for body in stored if isinstance(body, bytes))
        return b"[" + b",".join(bodies) + b"]"

    def _insert(
        self, access: Access, given: dict[str, Any], now: int, imports: bool
    ) -> tuple[Insert, _Details]:
        """The write for one body, and what is wrong with it."""
        kept, problems = kept_of(given) if imports else (NOTHING_KEPT, [])
        fields: dict[str, Any] = {}
        try:
            fields, wrong = access.live.validator.create(given)
            problems = [*problems, *wrong] if problems else wrong
        except MalformedBody as error:
            problems = [*problems, error.detail]
        created = now if kept.created_at is None else kept.created_at
        updated = created if kept.updated_at is None else kept.updated_at
        id = kept.id or self._ids.next(now)
        creator = _creator(access.caller, given)
        return Insert(access.collection, id, fields, created, updated, creator), problems

    async def _current(self, access: Access) -> Access:
        """The access with the table's definition as it is now: what is checked against it from
        here on, without waiting for anything, is written before any later definition is."""
        live = access.live
        found = self._tables.cached(live.table.name)
        if found is live:
            return access
        found = found or await self._tables.get(live.table.name)
        if found is None or found.table.id != live.table.id:
            raise TableNotFound(live.table.name)
        return replace(access, live=found)

    async def update(self, access: Access, id: str, body: bytes) -> bytes:
        """The listed fields replaced whole, the others kept (20 §4.5)."""
        given = _decode(body)
        if not isinstance(given, dict):
            raise InvalidData("The body is a JSON object")
        stored = await self._store.get(access.collection, id)
        if stored is None:
            raise RecordNotFound
        access = await self._current(access)
        columns = unwritable(access, "update")
        by_owner = access.decision == "own" or bool(columns.own_only)
        own = by_owner and access.owns(stored)
        if access.decision == "own" and not own:
            raise PermissionDenied("update")
        require_writable(columns, [("", given)], own=own)
        try:
            fields, problems = access.live.validator.update(given)
        except MalformedBody as error:
            raise InvalidData(error.detail["message"], [error.detail]) from None
        if problems:
            raise InvalidData(problems[0]["message"], problems)
        # What was judged on the record as it was must hold of the one that is changed.
        guard = access.is_own if own else None
        now = self._clock.now_ms()
        change = Update(access.collection, id, set=fields, updated_at=now, guard=guard)
        try:
            [updated] = await self._store.commit([change])
        except Missing:
            raise RecordNotFound from None
        except Conflict:
            raise PermissionDenied("update") from None
        except Duplicate as error:
            raise _duplicate(error) from error
        assert isinstance(updated, bytes)
        return shape_item(updated, access.shape, None)

    async def delete(self, access: Access, id: str) -> bytes:
        """Remove the record for good (20 §4.6)."""
        guard = access.is_own if access.decision == "own" else None
        try:
            await self._store.commit([Delete(access.collection, id, guard=guard)])
        except Missing:
            raise RecordNotFound from None
        except Conflict:
            raise PermissionDenied("delete") from None
        return b'{"success":true}'

    async def delete_many(self, access: Access, ids: Sequence[str]) -> int:
        """Remove those of the records that exist, all in one step; how many there were."""
        assert access.decision == "yes"
        doomed = DeleteWhere(access.collection, OneOf(("id",), tuple(dict.fromkeys(ids))))
        [count] = await self._store.commit([doomed])
        assert isinstance(count, int)
        return count


def _seen(access: Access) -> tuple[int, str]:
    """What a caller sees of a table: equal for all who see the same."""
    sight = access.sight
    return sight.number, access.caller.user_id if sight.personal else ""


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep, forgetting the oldest when there are too many."""
    if key not in memory and len(memory) >= _REMEMBERED_PLANS:
        del memory[next(iter(memory))]
    memory[key] = value


def _decode(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidData("The body is not valid JSON") from None


def _creator(caller: Caller, body: dict[str, Any]) -> str:
    """The signed-in user, or the tenant; for a bare secret key what the body says; else nobody
    (20 §2)."""
    if caller.account_id is not None:
        return caller.account_id
    if caller.identity is not None:
        return caller.user_id
    named = body.get("createdBy")
    if caller.key.is_secret and isinstance(named, str) and len(named) <= _LONGEST_CREATOR:
        return named
    return ""


def _placed(detail: Detail, place: int) -> Detail:
    return {**detail, "field": f"[{place}].{detail['field']}"}


def _duplicate(error: Duplicate, prefix: str = "") -> DuplicateValue:
    names = ",".join(error.fields)
    message = f"{names} must be unique; this value is already there"
    detail: Detail = {"field": prefix + names, "rule": "unique", "message": message}
    return DuplicateValue(message, details=[detail])
