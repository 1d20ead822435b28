"""SQL functions in Python: what SQLite cannot say itself. All are deterministic.

They are called for rows that cheaper tests let through only; see `bkend.store.sqlite.screens`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import apsw
import orjson

from bkend.store.documents import SYSTEM_FIELDS, wire_number
from bkend.store.sqlite.numbers import stored_number
from bkend.store.text import fold, found_in

_LONG_TEXT = 64 * 1024


def register(connection: apsw.Connection) -> None:
    """Make the functions known to a connection."""
    for name, function, arguments in (
        ("json_among", json_among, 2),
        ("json_canonical", json_canonical, 1),
        ("text_contains", text_contains, 2),
        ("text_matches", text_matches, 3),
        ("text_mentions", text_mentions, 3),
    ):
        connection.create_scalar_function(name, function, arguments, deterministic=True)


# -- text (20 §5, §6) ------------------------------------------------------------------------


def text_contains(*arguments: Any) -> int:
    """SQL function (text, folded): whether the text holds the folded one."""
    text, wanted = arguments
    return int(wanted is not None and wanted in fold(text))


def text_matches(*arguments: Any) -> int:
    """SQL function (text, pattern, flags): whether the pattern is found in the text."""
    text, pattern, flags = arguments
    if len(text) > _LONG_TEXT:
        _leave_the_loop()
    return int(found_in(text, pattern, flags))


def _leave_the_loop() -> None:
    """Nothing interrupts one call, so one that may take long must not begin on the event loop:
    there the read is given up, as one over its budget is, and begins again on a thread."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise apsw.InterruptError("too long for the event loop")


def text_mentions(*arguments: Any) -> int:
    """SQL function (document, folded, without): whether some top-level string, or string element
    of a top-level array, holds the folded text. `without` is a JSON array of fields to skip."""
    body, wanted, without = arguments
    if wanted is None:
        return 0
    skipped = _fields(without)
    for name, value in _document(body).items():
        if name in skipped:
            continue
        if isinstance(value, str):
            if wanted in fold(value):
                return 1
        elif isinstance(value, list):
            for element in value:
                if isinstance(element, str) and wanted in fold(element):
                    return 1
    return 0


def _fields(without: str) -> frozenset[str]:
    return SYSTEM_FIELDS.union(orjson.loads(without)) if without != "[]" else SYSTEM_FIELDS


def _document(body: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise apsw.CorruptError("a document is not JSON") from None
    return found


# -- objects and arrays ----------------------------------------------------------------------


def json_among(*arguments: Any) -> int:
    """SQL function (value, literals): whether a JSON object or array equals one of the literals,
    in any key order."""
    value, literals = arguments
    held = _classed(orjson.loads(value))
    return int(any(held == _classed(literal) for literal in orjson.loads(literals)))


def json_canonical(*arguments: Any) -> str:
    """SQL function: one text for all equal objects or arrays, whatever the order of their keys
    and the spelling of their numbers."""
    value = _spelt_alike(orjson.loads(arguments[0]))
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _spelt_alike(value: Any) -> Any:
    if isinstance(value, float):
        return wire_number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return stored_number(value)
    if isinstance(value, dict):
        return {key: _spelt_alike(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelt_alike(item) for item in value]
    return value


def _classed(value: Any) -> Any:
    """The value with booleans set apart from 0 and 1, which Python calls equal."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int):
        return stored_number(value)
    if isinstance(value, dict):
        return {key: _classed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_classed(item) for item in value]
    return value
