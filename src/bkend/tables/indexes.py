"""Index definitions of tables (21 §5)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from bkend.errors import Detail
from bkend.store import Index
from bkend.store.documents import SYSTEM_FIELDS
from bkend.store.interface import Direction
from bkend.tables.errors import InvalidIndex
from bkend.tables.models import index_shape

SYSTEM_INDEXES = ("idx_createdAt_desc", "idx_updatedAt_desc", "idx_createdBy")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_PATH = re.compile(r"_?[A-Za-z][A-Za-z0-9_]{0,63}(?:\.[A-Za-z0-9_]{1,64}){0,9}\Z")
_KNOWN = ("name", "fields", "unique", "sparse")
_MOST_INDEXES = 64
_MOST_FIELDS = 32


def check_indexes(given: Any, schema: dict[str, Any]) -> tuple[Index, ...]:
    """The declared indexes of a table, plus `uq_<column>` for each unique column.

    Raises InvalidIndex: bad or repeated names, unknown columns, system indexes.
    """
    if not isinstance(given, list):
        raise InvalidIndex([_detail("indexes", "type", "indexes is a list")])
    problems: list[Detail] = []
    found: dict[str, Index] = {}
    for number, one in enumerate(given):
        index = _index(one, f"indexes[{number}]", schema, problems)
        if index is None:
            continue
        if index.name in found:
            problems.append(_detail(index.name, "duplicate", f"index {index.name} stands twice"))
        found[index.name] = index
    for name, column in schema["properties"].items():
        if column.get("unique"):
            unique = Index(f"uq_{name}", ((name, 1),), unique=True, sparse=True)
            if found.setdefault(unique.name, unique) != unique:
                message = f"{unique.name} is the index of the unique column {name}; rename this one"
                problems.append(_detail(unique.name, "duplicate", message))
    if len(found) > _MOST_INDEXES:
        problems.append(_detail("indexes", "maxIndexes", "a table has at most 64 indexes"))
    if problems:
        raise InvalidIndex(problems)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class AppliedIndexes:
    """The indexes that come of a call, and what differs in them."""

    indexes: tuple[Index, ...]
    added: list[str]
    updated: list[str]
    removed: list[str]


def change_indexes(
    held: Sequence[Index], schema: dict[str, Any], define: Any, remove: Sequence[str]
) -> AppliedIndexes:
    """*Manage indexes* (21 §5): the same name replaces. Raises InvalidIndex."""
    if not isinstance(define, list):
        raise InvalidIndex([_detail("indexesToAddOrUpdate", "type", "a list of indexes")])
    names = [one.get("name") for one in define if isinstance(one, dict)]
    problems = _removal_problems(held, schema, names, remove)
    if not define and not remove:
        problems.append(
            _detail("indexesToAddOrUpdate", "required", "name an index to add, update or remove")
        )
    try:
        given = check_indexes(define, {**schema, "properties": _without_unique(schema)})
    except InvalidIndex as error:
        raise InvalidIndex([*problems, *error.details]) from None
    if problems:
        raise InvalidIndex(problems)
    by_name = {index.name: index for index in declared_indexes(held, schema)}
    before = {index.name: index for index in held}
    by_name |= {index.name: index for index in given}
    kept = [index_shape(index) for name, index in by_name.items() if name not in remove]
    indexes = check_indexes(kept, schema)
    return AppliedIndexes(
        indexes=indexes,
        added=[index.name for index in given if index.name not in before],
        updated=[i.name for i in given if i.name in before and before[i.name] != i],
        removed=list(dict.fromkeys(remove)),
    )


def declared_indexes(held: Sequence[Index], schema: dict[str, Any]) -> list[Index]:
    """The indexes without those that follow from unique columns."""
    generated = check_indexes([], schema)
    return [index for index in held if index not in generated]


def indexes_without(held: Sequence[Index], columns: Collection[str]) -> list[Index]:
    """The indexes that name none of the columns."""
    return [
        index
        for index in held
        if not any(path.split(".")[0] in columns for path, _ in index.fields)
    ]


def _removal_problems(
    held: Sequence[Index], schema: dict[str, Any], names: Sequence[Any], remove: Sequence[str]
) -> list[Detail]:
    problems: list[Detail] = []
    present = {index.name for index in held}
    generated = {index.name for index in check_indexes([], schema)}
    for name in dict.fromkeys(remove):
        if name in SYSTEM_INDEXES or name == "_id_":
            message = f"{name} is a system index and cannot be removed"
            problems.append(_detail(name, "CANNOT_REMOVE_SYSTEM_INDEX", message))
        elif name in names:
            message = f"{name} cannot be added and removed in one call"
            problems.append(_detail(name, "INDEX_CONFLICT", message))
        elif name not in present:
            message = f"there is no index {name[:64]!r} to remove"
            problems.append(_detail(name, "index-not-found", message))
        elif name in generated:
            column = name.removeprefix("uq_")
            message = f"{name} comes from the unique field {column}; set unique: false there"
            problems.append(_detail(name, "UNIQUE_FIELD", message))
    for name in names:
        if name in generated:
            message = f"{name} comes from the unique field of that name; choose another name"
            problems.append(_detail(str(name), "UNIQUE_FIELD", message))
    return problems


def _without_unique(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in column.items() if key != "unique"}
        for name, column in schema["properties"].items()
    }


def _index(given: Any, place: str, schema: dict[str, Any], problems: list[Detail]) -> Index | None:
    before = len(problems)
    if not isinstance(given, dict):
        problems.append(_detail(place, "type", f"{place} needs a name and fields"))
        return None
    problems.extend(
        _detail(place, str(key), _unknown(key, place)) for key in given if key not in _KNOWN
    )
    name = given.get("name")
    if name in SYSTEM_INDEXES or name == "_id_":
        message = f"{name} is a system index and cannot be changed"
        problems.append(_detail(str(name), "CANNOT_MODIFY_SYSTEM_INDEX", message))
    elif not isinstance(name, str) or not _NAME.match(name):
        message = f"{place}: an index name is a letter, then letters, digits or _"
        problems.append(_detail(place, "name", message))
    fields = given.get("fields")
    if not isinstance(fields, dict) or not 1 <= len(fields) <= _MOST_FIELDS:
        problems.append(
            _detail(place, "fields", f"{place}: fields maps 1 to 32 columns to 1 or -1")
        )
        return None
    for path, way in fields.items():
        if way not in (1, -1) or isinstance(way, bool):
            problems.append(_detail(place, "fields", f"{place}: {path} is 1 or -1"))
        _check_path(str(path), place, schema, problems)
    problems.extend(
        _detail(place, flag, f"{place}: {flag} is true or false")
        for flag in ("unique", "sparse")
        if not isinstance(given.get(flag, False), bool)
    )
    if len(problems) > before:
        return None
    return Index(
        name=str(name),
        fields=tuple(("id" if p == "_id" else p, cast(Direction, w)) for p, w in fields.items()),
        unique=given.get("unique", False),
        sparse=given.get("sparse", False),
    )


def _unknown(key: Any, place: str) -> str:
    near = difflib.get_close_matches(str(key), _KNOWN, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key {key!r} in {place}{hint}"


def _check_path(path: str, place: str, schema: dict[str, Any], problems: list[Detail]) -> None:
    top = path.split(".")[0]
    if not _PATH.match(path):
        problems.append(_detail(place, "fields", f"{place}: {path!r} is no column path"))
    elif top not in schema["properties"] and path not in SYSTEM_FIELDS and path != "_id":
        message = f"{place}: there is no column {top!r}"
        problems.append(_detail(place, "field-not-found", message))


def _detail(field: str, rule: str, message: str) -> Detail:
    return {"field": field, "rule": rule, "message": message}
