"""A caller let in to an operation, and what of the table's rows and columns it may see
(21 §7, §9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bkend.caller import Caller, Standing
from bkend.errors import ApiError, Detail
from bkend.query.row_filters import row_condition
from bkend.records.errors import PermissionDenied
from bkend.records.select import Shape
from bkend.store import ALWAYS, Condition, Equals, all_of, any_of
from bkend.store.documents import decode
from bkend.tables.models import SYSTEM_TABLES
from bkend.tables.permissions import Columns, Decision, Operation, Sight
from bkend.tables.service import LiveTable
from bkend.tables.validation import MOST_DETAILS
from bkend.tables.view import View


@dataclass(frozen=True, slots=True)
class Access:
    """A caller let in to an operation on a table: all rows (`yes`) or only `own` ones."""

    caller: Caller
    live: LiveTable
    decision: Decision
    standing: Standing
    collection: str = field(init=False)
    """The collection of the table's rows."""
    shape: Shape | None = field(init=False)
    """What to leave out of records; None when the stored bytes may go out as they are."""
    sight: Sight = field(init=False)
    """What a list shows to callers of this standing."""
    reads_whole: bool = field(init=False)
    """Whether any record goes out as it is stored."""

    def __post_init__(self) -> None:
        columns = self.live.permissions.unreadable(self.standing)
        shape = None
        if columns.never or columns.own_only:
            shape = Shape(columns.never, columns.own_only, self.caller.user_id)
        object.__setattr__(self, "collection", self.live.table.collection)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "sight", self.live.permissions.sight(self.standing))
        is_system = self.live.table.name in SYSTEM_TABLES
        reads_whole = self.decision == "yes" and shape is None and not is_system
        object.__setattr__(self, "reads_whole", reads_whole)

    @property
    def is_own(self) -> Condition:
        """That a row is the caller's."""
        return Equals(("createdBy",), self.caller.user_id)

    def owns(self, body: bytes) -> bool:
        """Whether the stored record is the caller's; nobody owns the rows of nobody."""
        user_id = self.caller.user_id
        return bool(user_id) and decode(body)["createdBy"] == user_id


def view_of(access: Access) -> View:
    """What a list may show to the caller. A rule whose filter cannot be read does not count."""
    sight = access.sight
    user_id = access.caller.user_id
    rows = access.is_own if sight.decision == "own" else ALWAYS
    if sight.rules is not None:
        alternatives: list[Condition] = []
        for rule in sight.rules:
            try:
                condition = row_condition(access.live.table, rule.filter.of(user_id))
            except (ApiError, RecursionError, TypeError):
                continue
            alternatives.append(all_of(access.is_own, condition) if rule.own else condition)
        rows = all_of(rows, any_of(*alternatives))
    return View(user_id, rows, sight.columns.never, sight.columns.own_only)


def require_writable(columns: Columns, bodies: Iterable[tuple[str, Any]], *, own: bool) -> None:
    """Refuse bodies that contain a column which the caller may not write, even unchanged
    (21 §7.1). Each body comes with what to put before the column's name."""
    denied = columns.never if own else columns.never | columns.own_only
    if not denied:
        return
    found = [
        _denied(prefix, name)
        for prefix, body in bodies
        if isinstance(body, Mapping)
        for name in body
        if name in denied
    ]
    if found:
        names = ", ".join(dict.fromkeys(detail["field"] for detail in found[:10]))
        raise PermissionDenied(f"write {names}", found[:MOST_DETAILS])


def _denied(prefix: str, name: str) -> Detail:
    message = f"You do not have permission to write {name}"
    return {"field": f"{prefix}{name}", "rule": "columnWrite", "message": message}


def placed(given: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """The elements of an array body, each with its place as details name it."""
    return ((f"[{place}].", one) for place, one in enumerate(given))


def unwritable(access: Access, operation: Operation) -> Columns:
    """The columns that a body of this operation must not contain."""
    return access.live.permissions.unwritable(operation, access.standing)
