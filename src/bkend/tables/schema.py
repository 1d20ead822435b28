"""Column definitions in any accepted notation, brought to the canonical one (21 §2, §3.1)."""

from __future__ import annotations

import difflib
from typing import Any

import jsonschema_rs
import orjson

from bkend.errors import Detail
from bkend.store.documents import SYSTEM_FIELDS
from bkend.tables.errors import InvalidSchema
from bkend.tables.models import COLUMN_NAME, stored_type
from bkend.tables.notation import (
    ABSTRACT,
    ALIASES,
    ALLOWED,
    ARRAY_OF,
    BOUNDS,
    COMMON,
    SCALARS,
    TYPES,
    declared_type,
)

_KEYS = sorted(
    {"type", "bsonType", "required", "min", "max", "table"}.union(
        COMMON, ALIASES, *ALLOWED.values()
    )
)
_SCHEMA_KEYS = {"bsonType", "type", "required", "properties", "additionalProperties", "description"}
_MOST_COLUMNS = 200
_DEEPEST = 10
_LONGEST_PATTERN = 500


def canonical_schema(given: Any) -> dict[str, Any]:
    """The canonical form of a field map, a schema object, or an abstract map or list.

    Raises InvalidSchema with one detail per problem: `field` is the column's path, `rule` the
    failed rule (`SYSTEM_FIELD_PROTECTED` for the four system fields).
    """
    reader = _Reader()
    if isinstance(given, dict) and isinstance(given.get("properties"), dict):
        for key in given:
            if key not in _SCHEMA_KEYS:
                reader.problem("", str(key), f"unknown key {key!r} next to properties")
        schema = reader.object(given, "", 1)
    else:
        schema = reader.object({"properties": _field_map(given, reader)}, "", 1)
    if len(schema["properties"]) > _MOST_COLUMNS:
        reader.problem("", "maxColumns", f"a table has at most {_MOST_COLUMNS} columns")
    for name in dict.fromkeys((*schema["properties"], *_declared_id(given))):
        if name in SYSTEM_FIELDS or name == "_id":
            message = f"{name} is a system field; every row has it, it is not declared"
            reader.problem(name, "SYSTEM_FIELD_PROTECTED", message)
    if reader.problems:
        raise InvalidSchema(reader.problems)
    return schema


def _declared_id(given: Any) -> tuple[str, ...]:
    """`_id`, if a schema in any notation declares it."""
    if isinstance(given, dict):
        held = given.get("properties")
        return ("_id",) if "_id" in (held if isinstance(held, dict) else given) else ()
    listed = given if isinstance(given, list) else ()
    return ("_id",) if any(isinstance(c, dict) and c.get("name") == "_id" for c in listed) else ()


def abstract_type(column: dict[str, Any]) -> str:
    """The designer's word for a canonical column's type (21 §2, "shown back as")."""
    kind = stored_type(column)
    return "reference" if kind == "string" and "ref" in column else ABSTRACT[kind]


def _field_map(given: Any, reader: _Reader) -> dict[str, Any]:
    if isinstance(given, list):
        fields: dict[str, Any] = {}
        for number, column in enumerate(given):
            if not isinstance(column, dict) or not isinstance(column.get("name"), str):
                reader.problem(f"[{number}]", "type", f"column {number + 1} needs a name")
            elif column["name"] in fields:
                reader.problem(column["name"], "duplicate", f"{column['name']} stands twice")
            else:
                fields[column["name"]] = {k: v for k, v in column.items() if k != "name"}
        return fields
    if isinstance(given, dict):
        return given
    reader.problem("", "type", "the schema is a map of columns")
    return {}


class _Reader:
    """Walks definitions and collects every problem."""

    def __init__(self) -> None:
        self.problems: list[Detail] = []

    def problem(self, field: str, rule: str, message: str) -> None:
        self.problems.append({"field": field, "rule": rule, "message": message})

    def object(self, given: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        """A canonical object schema from `properties`, `required`, `additionalProperties`."""
        if depth > _DEEPEST:
            self.problem(path, "depth", f"columns nest at most {_DEEPEST} deep")
            return {"bsonType": "object", "required": [], "properties": {}}
        names = given.get("required") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.problem(path, "required", f"{path or 'required'} lists column names")
            names = []
        required = list(dict.fromkeys(names))
        properties: dict[str, Any] = {}
        declared = given.get("properties") or {}
        if not isinstance(declared, dict):
            self.problem(path, "properties", f"properties of {path} is a map of columns")
            declared = {}
        for name, definition in declared.items():
            place = f"{path}.{name}" if path else str(name)
            if name == "_id" and not path:
                continue  # refused with the other system fields
            if not isinstance(name, str) or not COLUMN_NAME.match(name):
                self.problem(
                    place, "name", f"{name!r} is no column name: a letter, then letters, digits, _"
                )
                continue
            column, is_required = self.column(definition, place, depth)
            properties[name] = column
            if is_required and name not in required:
                required.append(name)
        for name in required:
            if name not in properties:
                place = f"{path}.{name}" if path else name
                self.problem(place, "required", f"{place} is required but not declared")
        schema: dict[str, Any] = {
            "bsonType": "object",
            "required": [name for name in properties if name in required],
            "properties": properties,
        }
        extra = given.get("additionalProperties", True)
        if extra is False:
            schema["additionalProperties"] = False
        elif extra is not True:
            self.problem(path, "additionalProperties", "additionalProperties is true or false")
        return schema

    def column(self, given: Any, path: str, depth: int) -> tuple[dict[str, Any], bool]:
        """A canonical column and whether it is required in its parent."""
        if depth > _DEEPEST + 1:
            self.problem(path, "depth", f"columns nest at most {_DEEPEST} deep")
            return {"bsonType": "mixed"}, False
        if isinstance(given, str):
            given = {"type": given}
        if not isinstance(given, dict):
            self.problem(path, "type", f"{path} needs a definition such as {{type: string}}")
            return {"bsonType": "mixed"}, False
        given = {ALIASES.get(key, key): value for key, value in given.items()}
        required = given.pop("required", False) if not _is_list(given.get("required")) else False
        if not isinstance(required, bool):
            self.problem(path, "required", f"required of {path} is true or false")
            required = False
        word, nullable = declared_type(given)
        kind, items = self._type(word, path)
        column: dict[str, Any] = {"bsonType": [kind, "null"] if nullable else kind}
        given.pop("type", None)
        given.pop("bsonType", None)
        if items is not None:
            given.setdefault("items", items)
        if str(word).lower() == "reference":
            given["ref"] = given.pop("table", given.get("ref", ""))
        low, high = BOUNDS.get(kind, ("", ""))
        for alias, name in (("min", low), ("max", high)):
            if name and alias in given:
                given.setdefault(name, given.pop(alias))
        for key, value in given.items():
            if key not in _KEYS:
                self.problem(path, str(key), _unknown(str(key), path))
            elif value is None and key != "default":
                continue
            elif key not in ALLOWED[kind] | COMMON:
                self.problem(path, key, f"{path}: {key!r} is not a rule of type {kind}")
            else:
                self._rule(column, kind, key, value, path, depth)
        if low in column and high in column and not column[low] <= column[high]:
            self.problem(path, low, f"{path}: {low} is greater than {high}")
        if column.get("unique") and kind not in SCALARS:
            self.problem(path, "unique", f"{path}: only a scalar column can be unique")
        elif column.get("unique") and depth > 1:
            self.problem(path, "unique", f"{path}: only a column of the table can be unique")
        if kind == "object":
            nested = self.object(given, path, depth + 1)
            nested.pop("bsonType")
            column |= nested
        self._default(column, path)
        return column, required

    def _type(self, word: Any, path: str) -> tuple[str, Any]:
        """The stored type of a word, and the elements' definition of `Array(String)`."""
        if isinstance(word, str):
            of = ARRAY_OF.match(word)
            if of:
                return "array", {"type": of[1]}
            kind = TYPES.get(word.lower())
            if kind is not None:
                return kind, None
        self.problem(
            path,
            "type",
            f"{path}: type {word!r} is not known; use string, number, boolean, date, object, "
            f"array, reference or mixed",
        )
        return "mixed", None

    def _rule(
        self, column: dict[str, Any], kind: str, key: str, value: Any, path: str, depth: int
    ) -> None:
        if key in ("properties", "required", "additionalProperties"):
            return
        if key in ("minLength", "maxLength", "minItems", "maxItems"):
            good = _is_number(value) and value == int(value) and value >= 0
            value = int(value) if good else value
        elif key in ("minimum", "maximum"):
            good = _is_number(value)
        elif key == "pattern":
            good = isinstance(value, str) and self._pattern(value, path)
            if not good and isinstance(value, str):
                return
        elif key == "enum":
            good = (
                isinstance(value, list)
                and bool(value)
                and all(
                    isinstance(item, str) if kind == "string" else _is_number(item)
                    for item in value
                )
            )
        elif key == "unique":
            good = isinstance(value, bool)
            if not value:
                return
        elif key == "items":
            value, good = self.column(value, f"{path}[]", depth + 1)[0], True
        elif key in ("description", "ref"):
            good = isinstance(value, str)
        else:
            good = True
        if not good:
            self.problem(path, key, f"{path}: {value!r} is not a valid {key}")
        column[key] = value

    def _pattern(self, pattern: str, path: str) -> bool:
        if len(pattern) > _LONGEST_PATTERN:
            self.problem(path, "pattern", f"{path}: a pattern has at most 500 characters")
            return False
        try:
            compile_validator({"pattern": pattern})
        except (jsonschema_rs.ValidationError, ValueError):
            self.problem(
                path,
                "pattern",
                f"{path}: the pattern is malformed or uses look-around or back-references",
            )
            return False
        return True

    def _default(self, column: dict[str, Any], path: str) -> None:
        if "default" not in column or self.problems:
            return
        if column["default"] is None:
            return
        from bkend.tables.validation import MalformedBody, RowValidator

        probe = RowValidator(
            {"bsonType": "object", "required": [], "properties": {"value": dict(column)}}
        )
        try:
            orjson.dumps(column["default"])
            fields, details = probe.create({"value": column["default"]})
        except (TypeError, orjson.JSONEncodeError):
            self.problem(path, "default", f"{path}: the default is not a JSON value")
            return
        except MalformedBody as error:
            self.problem(path, "default", f"{path}: the default: {error}")
            return
        for detail in details:
            reason = detail["message"].removeprefix("value")
            self.problem(path, "default", f"{path}: the default{reason}")
        column["default"] = fields["value"]


def compile_validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A JSON Schema validator whose patterns run in linear time."""
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())


def _unknown(key: str, path: str) -> str:
    near = difflib.get_close_matches(key, _KEYS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key {key!r} in field {path}{hint}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
