"""What one requester may see of a table, reduced to what the planner needs (21 §7.1, §7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from bkend.store import ALWAYS, Condition


@dataclass(frozen=True, slots=True)
class View:
    """The rows a list may show, and the columns it must not tell of.

    `rows` holds the self filter and the row filters. `hidden` are columns the requester can never
    read: filtering or sorting by them is refused. `own_only` are readable on own rows alone: a
    filter by one is limited to those, sorting by one is refused. Search skips both.
    """

    user_id: str
    rows: Condition = ALWAYS
    hidden: frozenset[str] = frozenset()
    own_only: frozenset[str] = frozenset()
