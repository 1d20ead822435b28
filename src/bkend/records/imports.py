"""Records brought along from elsewhere keep their id and times (20 §2).

Only with a secret key and `?import=true`; otherwise system fields in a body are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bkend.errors import Detail
from bkend.store.documents import parse_time
from bkend.tables.validation import read_date

RESERVED_IDS = frozenset({"spec", "openapi"})
"""Words that are routes where an id would stand (20 §1.1)."""

_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a body says of itself; None where it says nothing."""

    id: str | None = None
    created_at: int | None = None
    updated_at: int | None = None


def kept_of(body: Mapping[str, Any]) -> tuple[Kept, list[Detail]]:
    """The id and times to keep, and what is wrong with them. `_id` stands for a missing `id`."""
    problems: list[Detail] = []
    id = body.get("id", body.get("_id"))
    if id is not None and (not isinstance(id, str) or not _ID.match(id) or id in RESERVED_IDS):
        message = "id has 1 to 64 of the characters A-Z a-z 0-9 . _ ~ - and is not spec or openapi"
        problems.append({"field": "id", "rule": "id", "message": message})
    created_at = _time(body, "createdAt", problems)
    updated_at = _time(body, "updatedAt", problems)
    if problems:
        return Kept(), problems
    return Kept(id, created_at, updated_at), []


NOTHING_KEPT = Kept()


def _time(body: Mapping[str, Any], name: str, problems: list[Detail]) -> int | None:
    given = body.get(name)
    if given is None:
        return None
    found = read_date(given)
    if found is None:
        message = f"{name} must be an ISO 8601 date"
        problems.append({"field": name, "rule": "type", "message": message})
        return None
    return parse_time(found)
