"""Conditions on text where SQL cannot give the exact answer: patterns of RE2, folded letters.

The distinct strings a condition looks at are fetched under the snapshot of the query and matched
here; the condition then asks for one of those that matched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from bkend.store.conditions import And, Condition, Matches, Mentions, all_of
from bkend.store.documents import SYSTEM_FIELDS
from bkend.store.postgres.compile import PLAIN_TEXT, TextLeaf, Texts
from bkend.store.postgres.paths import (
    TIME_COLUMNS,
    reached,
    system_column,
    value_at,
)
from bkend.store.postgres.plans import Planner, text_leaves
from bkend.store.postgres.storable import escape, unescape
from bkend.store.text import compile_pattern, fold

_AT_ONCE = 1000
# Whether a document holds letters, or escapes, that SQL does not fold: it spares the others.
_MAY_BE_OTHER = "(octet_length(doc)<>length(doc) OR strpos(doc,'\\u000')>0)"
_FEW_CHARACTERS = 100_000


async def resolve(
    connection: asyncpg.Connection[Any],
    planner: Planner,
    condition: Condition,
    id: str | None = None,
) -> Texts:
    """The strings that satisfy each text condition, of all rows that may matter or of one row.

    Needs an open transaction whose statements share a snapshot.
    """
    found: dict[TextLeaf, Sequence[str]] = {}
    for leaf in text_leaves(condition):
        if leaf not in found:
            found[leaf] = await _look(connection, planner, leaf, _rest(condition), id)
    return found


def _rest(condition: Condition) -> Condition:
    """What must hold besides, of what SQL can decide."""
    parts = condition.parts if isinstance(condition, And) else ()
    return all_of(*(part for part in parts if next(text_leaves(part), None) is None))


async def _look(
    connection: asyncpg.Connection[Any],
    planner: Planner,
    leaf: TextLeaf,
    rest: Condition,
    id: str | None,
) -> list[str]:
    values: list[Any] = []

    def bind(value: Any, kind: str) -> str:
        values.append(value)
        return f"${len(values)}::{kind}"

    tests = [planner.test(rest, values)]
    if id is not None:
        tests.append(f"id={bind(escape(id), 'text')}")
    strings = _strings(leaf, bind)
    wanted = (
        ""
        if isinstance(leaf, Matches)
        else f" AND {_MAY_BE_OTHER} AND NOT ({PLAIN_TEXT.format('c.s')})"
    )
    sql = (
        f"SELECT DISTINCT c.s FROM {planner.physical.table} CROSS JOIN LATERAL ({strings}) c(s) "
        f"WHERE {' AND '.join(tests)}{wanted}"
    )
    matches = _matcher(leaf)
    found: list[str] = []
    cursor = await connection.cursor(sql, *values)
    while rows := await cursor.fetch(_AT_ONCE):
        texts = [row[0] for row in rows]
        if sum(map(len, texts)) <= _FEW_CHARACTERS:
            found.extend(filter(matches, texts))
        else:
            found.extend(await asyncio.to_thread(lambda some: [*filter(matches, some)], texts))
    return found


def _matcher(leaf: TextLeaf) -> Callable[[str], bool]:
    """Whether a string, as it is held, satisfies the condition."""
    if isinstance(leaf, Matches):
        search = compile_pattern(leaf.pattern, leaf.flags).search
        return lambda text: search(unescape(text)) is not None
    return lambda text: leaf.text in fold(unescape(text))


def _strings(leaf: TextLeaf, bind: Callable[[Any, str], str]) -> str:
    """A SELECT of every string of one row that the condition looks at."""
    elements = (
        "CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(n) WHEN 'array' THEN n "
        "WHEN 'string' THEN jsonb_build_array(n) ELSE '[]' END) e WHERE jsonb_typeof(e)='string'"
    )
    if isinstance(leaf, Mentions):
        skipped = bind([*map(escape, sorted(SYSTEM_FIELDS | leaf.without))], "text[]")
        return (
            f"SELECT (e#>>'{{}}') COLLATE \"C\" FROM jsonb_each(data) f(k,n) {elements} "
            f"AND f.k<>ALL({skipped})"
        )
    column = system_column(leaf.path)
    if column in TIME_COLUMNS:
        return f'SELECT (data->>{bind(leaf.path[0], "text")}) COLLATE "C"'
    if column is not None:
        return f"SELECT {column}"
    nodes = (
        f"ARRAY[{value_at(leaf.path, bind)}]" if len(leaf.path) == 1 else reached(leaf.path, bind)
    )
    return f"SELECT (e#>>'{{}}') COLLATE \"C\" FROM unnest({nodes}) n {elements}"
