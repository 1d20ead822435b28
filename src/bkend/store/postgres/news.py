"""Word of changes between processes: what a NOTIFY says.

The payload is sent inside the changing transaction, so it arrives exactly when the change can be
seen, and never for one that was undone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TypeAlias

import orjson

CHANNEL = "bkend"
_LONGEST = 7_900

Changes: TypeAlias = dict[str, list[str] | None]
"""Changed ids by collection; None means "anything in it"."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who tells, and of which schema: nobody needs to hear of its own changes again."""

    sender: str
    schema: str


def new_sender() -> str:
    """A name that no other process has."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class News:
    """What somebody committed."""

    origin: Origin
    changes: Changes
    redefined: bool


def payload(origin: Origin, changes: Changes, *, redefined: bool = False) -> str:
    """The news as text of at most 8,000 bytes: ids are left out when they are too many."""
    text = orjson.dumps([origin.sender, origin.schema, changes, redefined])
    if len(text) > _LONGEST:
        text = orjson.dumps([origin.sender, origin.schema, dict.fromkeys(changes), redefined])
    if len(text) > _LONGEST:
        text = orjson.dumps([origin.sender, origin.schema, {"*": None}, redefined])
    return text.decode()


def parse(text: str) -> News | None:
    """The inverse of `payload`; None for what no process of ours sent."""
    try:
        sender, schema, changes, redefined = orjson.loads(text)
    except ValueError:
        return None
    return News(Origin(sender, schema), changes, redefined)


def note(changes: Changes, collection: str, ids: list[str]) -> None:
    """Add changed ids; "anything" stays so."""
    held = changes.setdefault(collection, [])
    if held is not None:
        held.extend(ids)
