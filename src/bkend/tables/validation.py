"""Rows against a table's schema: coercion, defaults, and every violation at once (21 §3)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeAlias

import jsonschema_rs
import orjson

from bkend.errors import Detail
from bkend.store.documents import SYSTEM_FIELDS, format_time, parse_time, wire_number
from bkend.tables.models import stored_type
from bkend.tables.schema import compile_validator

MOST_DETAILS = 100
_DEEPEST = 64
_MOST_EXPLAINED = 1000
_LONGEST_NAME_SHOWN = 64
_LONGEST_PATH_SHOWN = 256
_JSON_TYPES = {
    "string": "string",
    "objectId": "string",
    "date": "string",
    "double": "number",
    "int": "integer",
    "bool": "boolean",
    "object": "object",
    "array": "array",
}
_NOT_NULL = ["string", "number", "boolean", "object", "array"]
_KINDS = {
    "string": "a string",
    "objectId": "an id",
    "double": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "date": "an ISO 8601 date",
    "object": "an object",
    "array": "an array",
    "mixed": "a value",
}
_TO_CLEAN = {float, dict, list}
_Problems: TypeAlias = list[tuple[str, Detail]]
"""Details, each with the top-level field it belongs to."""
_LEAST_TIME = parse_time("0001-01-01T00:00:00Z")


class MalformedBody(Exception):
    """A name or the nesting of a body is not acceptable at all; carries the detail."""

    def __init__(self, detail: Detail) -> None:
        super().__init__(detail["message"])
        self.detail = detail


class RowValidator:
    """Validates bodies against one canonical schema; compiled once per table version."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._properties: dict[str, Any] = schema["properties"]
        self._order = {name: place for place, name in enumerate(self._properties)}
        self._required = frozenset(schema["required"])
        self._defaults = {
            name: orjson.dumps(column["default"])
            for name, column in self._properties.items()
            if "default" in column
        }
        self._coerced = {
            name: column for name, column in self._properties.items() if _needs_coercion(column)
        }
        self._is_strict = schema.get("additionalProperties") is False
        json_schema = _json_schema(schema)
        self._create = compile_validator(json_schema)
        self._update = compile_validator({**json_schema, "required": []})

    def create(self, body: dict[str, Any]) -> tuple[dict[str, Any], list[Detail]]:
        """The fields to store for a new row, and what is wrong with them.

        System fields are dropped, defaults put in, dates and numbers brought to wire form.
        Raises MalformedBody.
        """
        fields = clean(body, self._order)
        for name, default in self._defaults.items():
            if name not in fields:
                fields[name] = orjson.loads(default)
        return self._check(fields, creating=True)

    def update(self, body: dict[str, Any]) -> tuple[dict[str, Any], list[Detail]]:
        """The listed fields to store for an existing row, and what is wrong with them."""
        return self._check(clean(body, self._order), creating=False)

    def _check(
        self, fields: dict[str, Any], *, creating: bool
    ) -> tuple[dict[str, Any], list[Detail]]:
        bad_dates: _Problems = []
        for name, column in self._coerced.items():
            if name in fields:
                coercion = _Coercion(name, bad_dates, fill=creating)
                fields[name] = coercion.of(fields[name], column, name)
        validator = self._create if creating else self._update
        if not bad_dates and validator.is_valid(fields):
            return fields, []
        return fields, self._explain(fields, bad_dates, creating=creating)

    def _explain(
        self, fields: dict[str, Any], bad_dates: _Problems, *, creating: bool
    ) -> list[Detail]:
        """Every violation, in the order of the schema, then undeclared fields.

        Of a huge value only the first is told: the validator makes all of them at once, and a
        million takes it many seconds.
        """
        problems: _Problems = [*bad_dates]
        declared = {name: fields[name] for name in self._order if name in fields}
        if creating:
            missing = self._required - declared.keys()
            problems += [(name, _detail([name], "required", "is required")) for name in missing]
        huge = {name: value for name, value in declared.items() if _is_huge(value)}
        small = {name: value for name, value in declared.items() if name not in huge}
        errors = list(self._update.iter_errors(small))
        for name, value in huge.items():
            try:
                self._update.validate({name: value})
            except jsonschema_rs.ValidationError as first:
                errors.append(first)
        told = {detail["field"] for _, detail in bad_dates}
        for error in errors:
            problems += [found for found in self._details(error) if found[1]["field"] not in told]
        if self._is_strict:
            extra = islice((name for name in fields if name not in declared), MOST_DETAILS)
            problems += [(name, _undeclared([name])) for name in extra]
        last = len(self._order)
        problems.sort(key=lambda found: self._order.get(found[0], last))
        return [detail for _, detail in problems[:MOST_DETAILS]]

    def _details(self, error: jsonschema_rs.ValidationError) -> Iterator[tuple[str, Detail]]:
        path = list(error.instance_path)
        kind: Any = error.kind
        rule: str = kind.name
        top = str(path[0])
        if rule == "required":
            yield top, _detail([*path, kind.property], "required", "is required")
        elif rule == "additionalProperties":
            for name in kind.unexpected[:MOST_DETAILS]:
                yield top, _undeclared([*path, name])
        elif rule == "type" and error.instance is None and self._is_required(path):
            yield top, _detail(path, "required", "is required")
        else:
            yield top, _detail(path, rule, self._sentence(kind, path))

    def _is_required(self, path: list[Any]) -> bool:
        if len(path) == 1:
            return path[0] in self._required
        column = self._column(path[:-1])
        return column is not None and path[-1] in (column.get("required") or ())

    def _column(self, path: list[Any]) -> dict[str, Any] | None:
        column: dict[str, Any] | None = {"properties": self._properties}
        for step in path:
            if column is None:
                return None
            if isinstance(step, int):
                column = column.get("items")
            else:
                column = (column.get("properties") or {}).get(step)
        return column

    def _sentence(self, kind: Any, path: list[Any]) -> str:
        column = self._column(path) or {}
        match kind.name:
            case "type":
                return f"must be {_KINDS[stored_type(column)] if column else 'a value'}"
            case "minLength":
                return f"must have at least {kind.limit} characters"
            case "maxLength":
                return f"must have at most {kind.limit} characters"
            case "minItems":
                return f"must have at least {kind.limit} elements"
            case "maxItems":
                return f"must have at most {kind.limit} elements"
            case "minimum":
                return f"must be at least {column.get('minimum', kind.limit)}"
            case "maximum":
                return f"must be at most {column.get('maximum', kind.limit)}"
            case "enum":
                return f"must be one of {', '.join(map(str, column.get('enum', ())))}"
            case "pattern":
                return "does not match the required pattern"
            case _:
                return "is not valid"


def clean(body: dict[str, Any], declared: Container[str] = ()) -> dict[str, Any]:
    """The body without system fields, names and depth checked, numbers in wire form (20 §2, §3).

    The names of declared columns are known to be good.
    """
    fields: dict[str, Any] = {}
    for name, value in body.items():
        if name not in declared:
            if name in SYSTEM_FIELDS or name == "_id":
                continue
            if "." in name:
                raise MalformedBody(_name_detail(name, name))
            _check_name(name, name)
        kind = type(value)
        if kind is float:
            value = wire_number(value)
        elif kind is dict or kind is list:
            value = _clean_nested(value, name, 2)
        fields[name] = value
    return fields


def _clean_nested(value: Any, path: str, depth: int) -> Any:
    if depth > _DEEPEST:
        field = path[:_LONGEST_PATH_SHOWN]
        message = f"{field.split('.')[0].split('[')[0]} nests deeper than {_DEEPEST} levels"
        raise MalformedBody({"field": field, "rule": "depth", "message": message})
    if type(value) is dict:
        for name in value:
            _check_name(name, f"{path}.{name}")
        return {
            name: _clean_nested(item, f"{path}.{name}", depth + 1)
            if type(item) in (dict, list)
            else (wire_number(item) if type(item) is float else item)
            for name, item in value.items()
        }
    if _TO_CLEAN.isdisjoint(map(type, value)):
        return value
    return [
        _clean_nested(item, f"{path}[{place}]", depth + 1)
        if type(item) in (dict, list)
        else (wire_number(item) if type(item) is float else item)
        for place, item in enumerate(value)
    ]


def _check_name(name: str, path: str) -> None:
    if not name or name[0] == "$" or "\0" in name:
        raise MalformedBody(_name_detail(name, path))


def _name_detail(name: str, path: str) -> Detail:
    shown = name[:_LONGEST_NAME_SHOWN]
    message = f"{shown!r} cannot be a field name: not empty, no leading $, no NUL, no . at the top"
    return {"field": path[:_LONGEST_PATH_SHOWN], "rule": "fieldName", "message": message}


def _detail(path: list[Any], rule: str, sentence: str) -> Detail:
    field = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).lstrip(".")
    field = field[:_LONGEST_PATH_SHOWN]
    return {"field": field, "rule": rule, "message": f"{field} {sentence}"}


def _undeclared(path: list[Any]) -> Detail:
    return _detail(path, "additionalProperties", "is not a field of this table")


def _is_huge(value: Any) -> bool:
    """Whether the value holds more elements than are worth explaining one by one."""
    left, waiting = _MOST_EXPLAINED, [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, (dict, list)):
            left -= len(held)
            if left < 0:
                return True
            waiting.extend(held.values() if isinstance(held, dict) else held)
    return False


# -- coercion (21 §3.2) ---------------------------------------------------------------------


def _needs_coercion(column: dict[str, Any]) -> bool:
    kind = stored_type(column)
    if kind == "array":
        return "items" in column and _needs_coercion(column["items"])
    if kind == "object":
        return any(
            _needs_coercion(inner) or "default" in inner
            for inner in (column.get("properties") or {}).values()
        )
    return kind == "date"


@dataclass(frozen=True, slots=True)
class _Coercion:
    """Brings the dates of one field to wire form and, with `fill`, puts in nested defaults."""

    top: str
    problems: _Problems
    fill: bool

    def of(self, value: Any, column: dict[str, Any], path: str) -> Any:
        """The value as it is stored; what is no date is left, and noted."""
        if value is None:
            return None
        kind = stored_type(column)
        if kind == "date":
            return self._date(value, path)
        if kind == "array" and isinstance(value, list) and "items" in column:
            return self._items(value, column["items"], path)
        if kind == "object" and isinstance(value, dict):
            for name, inner in (column.get("properties") or {}).items():
                if name in value:
                    value[name] = self.of(value[name], inner, f"{path}.{name}")
                elif self.fill and "default" in inner:
                    value[name] = orjson.loads(orjson.dumps(inner["default"]))
        return value

    def _items(self, value: list[Any], column: dict[str, Any], path: str) -> list[Any]:
        found: list[Any] = []
        for place, item in enumerate(value):
            if len(self.problems) >= MOST_DETAILS:  # it is refused already
                return value
            found.append(self.of(item, column, f"{path}[{place}]"))
        return found

    def _date(self, value: Any, path: str) -> Any:
        found = read_date(value)
        if found is not None:
            return found
        if len(self.problems) < MOST_DETAILS:
            detail = _detail([path], "type", "must be an ISO 8601 date")
            self.problems.append((self.top, detail))
        return value


def read_date(value: Any) -> str | None:
    """An ISO 8601 text as an instant in wire form, None when it is not one."""
    if not isinstance(value, str) or len(value) < 10 or value[4] != "-":
        return None
    if value[10:11] not in ("", "T", "t", " "):
        return None
    try:
        stamp = datetime.fromisoformat(value.upper())
        if stamp.tzinfo is not None:
            stamp = stamp.astimezone(UTC)
        instant = parse_time(stamp.isoformat())
    except (ValueError, OverflowError):
        return None
    return format_time(max(instant, _LEAST_TIME))


# -- JSON Schema ------------------------------------------------------------------------------


def _json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = schema.get("properties") or {}
    required: list[str] = schema.get("required") or []
    shaped: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: _column_schema(column, nullable=name not in required)
            for name, column in properties.items()
        },
        "required": required,
    }
    if schema.get("additionalProperties") is False:
        shaped["additionalProperties"] = False
    return shaped


def _column_schema(column: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    """One column: constraints other than `required` skip null (21 §3.3)."""
    declared = column["bsonType"]
    kind = stored_type(column)
    nullable = nullable or (isinstance(declared, list) and "null" in declared)
    if kind == "mixed":
        return {} if nullable else {"type": _NOT_NULL}
    shaped: dict[str, Any] = {"type": _JSON_TYPES[kind]}
    if kind == "object":
        shaped |= _json_schema(column)
    for key in ("pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"):
        if key in column:
            shaped[key] = column[key]
    if "enum" in column:
        shaped["enum"] = [*column["enum"], None] if nullable else column["enum"]
    if kind == "objectId" or "ref" in column:
        shaped |= {"minLength": 1, "maxLength": 64}
    if kind == "array" and "items" in column:
        shaped["items"] = _column_schema(column["items"], nullable=False)
    if kind == "int":
        shaped.setdefault("minimum", -(2**63))
        shaped.setdefault("maximum", 2**63 - 1)
    if nullable:
        shaped["type"] = [shaped["type"], "null"]
    return shaped
