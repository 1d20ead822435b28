"""*Manage fields*: one call's changes of a table's columns, worked out before anything is done
(21 §4, 40 §6.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bkend.errors import Detail
from bkend.store.documents import SYSTEM_FIELDS
from bkend.tables.errors import InvalidSchema, detail
from bkend.tables.merge import merge_column
from bkend.tables.models import Table
from bkend.tables.schema import abstract_type, canonical_schema


@dataclass(frozen=True, slots=True)
class FieldChanges:
    """What a call asks for. `define` maps names to definitions in any notation of 21 §2, which are
    merged into those held, or with `replaces` stand in their place. `strict` None leaves it."""

    define: dict[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    backfill: bool = False
    replaces: bool = False
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class AppliedFields:
    """The schema that comes of a call, and what differs in it."""

    schema: dict[str, Any]
    added: list[str]
    updated: list[str]
    removed: list[str]
    required_added: list[str]
    required_removed: list[str]
    warnings: list[str]


def apply_fields(table: Table, changes: FieldChanges) -> AppliedFields:
    """Raises InvalidSchema: FIELD_CONFLICT, REQUIRED_CONFLICT, SYSTEM_FIELD_PROTECTED, or the rule
    that a definition breaks; every problem is a detail."""
    held: dict[str, Any] = table.schema["properties"]
    removed = list(dict.fromkeys(changes.remove))
    problems = [*_problems(held, changes), *_required_problems(held, changes)]
    if problems:
        raise InvalidSchema(problems)
    properties = {name: column for name, column in held.items() if name not in removed}
    for name, given in changes.define.items():
        is_update = name in held and not changes.replaces
        properties[name] = merge_column(held[name], given) if is_update else given
    released = {*changes.release, *_marked(changes.define, required=False), *removed}
    required = [name for name in table.schema["required"] if name not in released]
    required += [name for name in changes.require if name not in required]
    kept = {**table.schema, "required": required, "properties": properties}
    if changes.strict is not None:
        kept["additionalProperties"] = not changes.strict
    schema = canonical_schema(kept)
    before, after = table.schema["required"], schema["required"]
    updated = [
        name for name in changes.define if name in held and schema["properties"][name] != held[name]
    ]
    return AppliedFields(
        schema=schema,
        added=[name for name in changes.define if name not in held],
        updated=updated,
        removed=removed,
        required_added=[name for name in after if name not in before],
        required_removed=[name for name in before if name not in after],
        warnings=_warnings(held, schema, updated),
    )


def _problems(held: dict[str, Any], changes: FieldChanges) -> list[Detail]:
    is_named = changes.define or changes.remove or changes.require or changes.release
    if not is_named and changes.strict is None:
        message = "name a field to add, update or remove, or one to require or release"
        return [detail("fieldsToAddOrUpdate", "required", message)]
    problems: list[Detail] = []
    named = (*changes.define, *changes.remove, *changes.require, *changes.release)
    for name in dict.fromkeys(named):
        if name in SYSTEM_FIELDS or name == "_id":
            message = f"{name} is a system field; it cannot be changed"
            problems.append(detail(name, "SYSTEM_FIELD_PROTECTED", message))
    for name in dict.fromkeys(changes.remove):
        if name in SYSTEM_FIELDS or name == "_id":
            continue
        if name in changes.define:
            message = f"{name} cannot be added and removed in one call"
            problems.append(detail(name, "FIELD_CONFLICT", message))
        elif name not in held:
            message = f"{name[:64]} is not declared, there is nothing to remove"
            problems.append(detail(name, "FIELD_CONFLICT", message))
    return problems


def _required_problems(held: dict[str, Any], changes: FieldChanges) -> list[Detail]:
    problems: list[Detail] = []
    after = (held.keys() | changes.define.keys()) - set(changes.remove)
    required = {*changes.require, *_marked(changes.define, required=True)}
    released = {*changes.release, *_marked(changes.define, required=False)}
    for name in dict.fromkeys((*changes.require, *changes.release, *changes.define)):
        if name in SYSTEM_FIELDS or name == "_id":
            continue
        if name in required and name in released:
            message = f"{name} cannot be made required and optional in one call"
            problems.append(detail(name, "REQUIRED_CONFLICT", message))
        elif name in changes.require and name not in after:
            message = f"{name[:64]} cannot be required, there is no such field"
            problems.append(detail(name, "REQUIRED_CONFLICT", message))
        elif name in changes.release and name not in held.keys() | changes.define.keys():
            message = f"{name[:64]} cannot be made optional, there is no such field"
            problems.append(detail(name, "REQUIRED_CONFLICT", message))
    return problems


def _marked(define: dict[str, Any], *, required: bool) -> list[str]:
    """The fields whose own definition says `required: true`, or false."""
    return [
        name
        for name, given in define.items()
        if isinstance(given, dict) and given.get("required") is required
    ]


def _warnings(held: dict[str, Any], schema: dict[str, Any], updated: Sequence[str]) -> list[str]:
    columns = schema["properties"]
    found = [
        f"{name} changes from {abstract_type(held[name])} to {abstract_type(columns[name])}: "
        f"values that are stored stay as they are"
        for name in updated
        if abstract_type(held[name]) != abstract_type(columns[name])
    ]
    found += [
        f"{name} is now {abstract_type(columns[name])}: {', '.join(lost)} went with its old type"
        for name in updated
        if held[name]["bsonType"] != columns[name]["bsonType"]
        and (lost := sorted(held[name].keys() - columns[name].keys() - {"required", "ref"}))
    ]
    return found + envelope_warnings(columns)


def envelope_warnings(columns: dict[str, Any]) -> list[str]:
    """A record with both `success` and `data` looks like an envelope to clients (20 §3)."""
    if {"success", "data"} <= columns.keys():
        return ["fields named success and data together: clients take such a record for a wrapper"]
    return []


def fields_given(given: Any) -> dict[str, Any]:
    """Definitions by name, from a map or from a list whose elements carry their names.

    Raises InvalidSchema for an element without a name, or a name that stands twice.
    """
    if isinstance(given, dict):
        return given
    found: dict[str, Any] = {}
    problems: list[Detail] = []
    for number, one in enumerate(given):
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str):
            problems.append(detail(f"[{number}]", "type", f"field {number + 1} needs a name"))
        elif name in found:
            problems.append(detail(name, "duplicate", f"{name} stands twice"))
        else:
            found[name] = {key: value for key, value in one.items() if key != "name"}
    if problems:
        raise InvalidSchema(problems)
    return found
