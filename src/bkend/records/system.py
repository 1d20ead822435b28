"""The server's own tables through the data API: admins list and read, nobody writes (21 §10).

What is shown is an allow-list, the columns of the schemas below: a field that the server adds to
its documents stays inside until it is named here, in answers and in filters alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bkend.auth.collections import ACCOUNTS, SESSIONS, USERS
from bkend.files.names import address_of
from bkend.query.planner import ListPlan, plan_list
from bkend.records.errors import PermissionDenied, RecordNotFound
from bkend.records.pages import list_body
from bkend.records.select import Shape, shape_items
from bkend.store import ALWAYS, Condition, Equals, Find, Not, Store, all_of, any_of
from bkend.store.conditions import Always, And, Contains, Mentions, Never, Or, Path
from bkend.store.documents import SYSTEM_FIELDS
from bkend.tables.models import Table
from bkend.tables.permissions import Permissions
from bkend.tables.schema import canonical_schema
from bkend.tables.service import LiveTable
from bkend.tables.validation import RowValidator
from bkend.tables.view import View

FILES = "files"
_COLUMNS: dict[str, dict[str, str]] = {
    USERS: {
        "email": "string",
        "name": "string",
        "role": "string",
        "nickname": "string",
        "image": "string",
        "emailVerified": "date",
        "mobile": "string",
        "gender": "string",
        "bio": "string",
        "socialLinks": "object",
        "onboardingStatus": "string",
        "mfaEnabled": "boolean",
        "slug": "string",
        "isPublic": "boolean",
        "status": "string",
    },
    ACCOUNTS: {
        "userId": "string",
        "type": "string",
        "provider": "string",
        "providerAccountId": "string",
        "email": "string",
        "connectedAt": "date",
    },
    SESSIONS: {
        "userId": "string",
        "userAgent": "string",
        "ipAddress": "string",
        "deviceInfo": "string",
        "lastActivityAt": "date",
        "expiresAt": "date",
    },
    FILES: {
        "s3Key": "string",
        "key": "string",
        "originalName": "string",
        "mimeType": "string",
        "size": "integer",
        "width": "integer",
        "height": "integer",
        "visibility": "string",
        "url": "string",
        "ownerId": "string",
        "ownerType": "string",
        "bucket": "string",
        "category": "string",
        "sharedWith": "array",
        "metadata": "object",
    },
}
_WITHOUT_CREATOR = frozenset({USERS, FILES})
"""Objects of the user and file APIs, which have no `createdBy`."""


@dataclass(frozen=True, slots=True)
class SystemTable:
    """One of the four, as admins see it: its rows, and what of them."""

    live: LiveTable
    rows: Condition
    shape: Shape

    def confined(self, plan: ListPlan) -> ListPlan:
        """The plan of a list over the rows that are shown, asking for shown columns only.
        Raises PermissionDenied."""
        for key in plan.find.sort:
            self._require_shown(key.path[0])
        where = all_of(self.rows, self._confined(plan.find.where))
        return replace(plan, find=replace(plan.find, where=where))

    def _confined(self, condition: Condition) -> Condition:
        if isinstance(condition, (Always, Never)):
            return condition
        if isinstance(condition, And):
            return all_of(*map(self._confined, condition.parts))
        if isinstance(condition, Or):
            return any_of(*map(self._confined, condition.parts))
        if isinstance(condition, Not):
            return Not(self._confined(condition.condition))
        if isinstance(condition, Mentions):
            searched = self.live.table.schema["properties"].keys() - condition.without
            return any_of(*(Contains((name,), condition.text) for name in sorted(searched)))
        self._require_shown(condition.path[0])
        return condition

    def _require_shown(self, name: str) -> None:
        shown = self.live.table.schema["properties"]
        if name not in shown and name not in SYSTEM_FIELDS:
            raise PermissionDenied(f"use {name[:64]}")


@dataclass(frozen=True, slots=True)
class FileShape(Shape):
    """Of files, whose address is not stored."""

    raw: str = ""

    def of(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with `url`, for public files where they are served."""
        is_public = record["visibility"] == "public"
        url = address_of(self.raw, record["s3Key"]) if is_public else None
        return super(FileShape, self).of({**record, "url": url})


class SystemRecords:
    """The system tables of one environment; `raw` is where public files are served, without a
    trailing slash."""

    def __init__(self, store: Store, raw: str = "") -> None:
        self._store = store
        self._tables = {name: _system_table(name, raw) for name in _COLUMNS}

    def table(self, name: str) -> LiveTable:
        """The table of this name among the four."""
        return self._tables[name].live

    async def get(self, name: str, id: str, select: Sequence[Path] | None) -> bytes:
        """One object. Raises RecordNotFound."""
        table = self._tables[name]
        if self._store.collection(name) is None:
            raise RecordNotFound
        is_it = all_of(Equals(("id",), id), table.rows)
        page = await self._store.find(Find(name, is_it, limit=1))
        if not page.total:
            raise RecordNotFound
        return shape_items(page.items, table.shape, select)[1:-1]

    async def list(self, name: str, query_string: str) -> bytes:
        """A page of objects. Raises PermissionDenied where it would tell of what is not shown."""
        table = self._tables[name]
        plan = table.confined(plan_list(table.live.table, View(""), query_string))
        if self._store.collection(name) is None:  # nothing was ever stored
            return list_body(b"[]", 0, plan)
        page = await self._store.find(plan.find)
        return list_body(shape_items(page.items, table.shape, plan.select), page.total, plan)


def _system_table(name: str, raw: str) -> SystemTable:
    columns = {column: {"type": kind} for column, kind in _COLUMNS[name].items()}
    schema: dict[str, Any] = canonical_schema(columns)
    table = Table(name, name, schema, (), {}, None, None, 1, 1)
    live = LiveTable(table, Permissions(table), RowValidator(schema))
    shown = SYSTEM_FIELDS | columns.keys()
    if name in _WITHOUT_CREATOR:
        shown -= {"createdBy"}
    rows = Equals(("deletedAt",), None) if name == USERS else ALWAYS
    shape = FileShape(only=shown, raw=raw) if name == FILES else Shape(only=shown)
    return SystemTable(live, rows, shape)
