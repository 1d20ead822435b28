"""Tables of every kind that a file can declare, by hand and by chance."""

from __future__ import annotations

from random import Random
from typing import Any

RICH = r"""
version: 1
tables:
  everything:
    displayName: "Everything: at once"
    description: "One\ntwo \u2028 three"
    strict: true
    fields:
      yes: {type: boolean, required: true}
      text: {type: string, required: true, minLength: 1, maxLength: 200, pattern: "^[a-z]+: \\d$"}
      word: {type: [string, "null"], enum: ["yes", "1", "null", ""], default: "yes"}
      whole: {type: integer, minimum: -9007199254740993, maximum: 9223372036854775807}
      part: {type: number, minimum: -0.5, maximum: 1e300, default: 1e-7, description: "a # b"}
      when: {type: date, default: "2024-02-29"}
      of: {type: reference, table: posts}
      loose: {type: reference}
      either: {type: [reference, "null"], table: posts}
      old: {type: objectId, ref: posts}
      tags: {type: array, items: {type: string, maxLength: 20}, maxItems: 5, default: [a]}
      grid: {type: array, items: {type: array, items: integer}}
      anything: {type: mixed, default: {a: [1, null, {b: "null"}]}}
      nothing: {type: string, default: null}
      mail: {type: string, unique: true}
      place:
        type: object
        required: true
        additionalProperties: false
        properties:
          city: {type: string, required: true}
          properties: {type: object, properties: {required: {type: boolean, required: true}}}
          lines: {type: array, items: {type: object, properties: {n: {type: number, default: 1}}}}
    indexes:
      - {name: once, fields: {createdBy: 1, mail: -1}, unique: true, sparse: true}
      - {name: newest, fields: {createdAt: -1, id: 1}}
      - {name: inside, fields: {place.city: 1}}
    permissions:
      guest: {list: false, read: true}
      user: {list: true, create: true}
      self: {}
      admin: {read: false}
    expressionPermissions: {update: "role:editor | (user & self)", read: public}
    columnPermissions:
      text: {write: admin, read: "user & self"}
      mail: {read: admin}
      undeclared: {}
    rowFilters:
      - {expression: guest, filter: {place.city: {$in: ["Paris", "on"]}, part: {$gte: 0.5}}}
      - {expression: user & self, filter: [{createdBy: $userId}, {yes: true}]}
      - {expression: role:editor, filter: {}}
  Plain: {}
  closed: {fields: {}, indexes: [], permissions: {}, expressionPermissions: {}, rowFilters: []}
  tricky:
    fields:
      properties:
        properties: {type: object, properties: {a: {type: string, required: true}}}
        required: {type: array, required: true}
        type: {type: string}
"""

_EXPRESSIONS = ("public", "user", "self", "user & self", "role:editor | admin", "guest")
_GROUPS = ("user", "self", "guest", "admin")
_OPERATIONS = ("create", "read", "update", "delete", "list")


def some_tables(chance: Random) -> dict[str, Any]:
    """The document of a file with up to three tables, `a`, `b` and `c`."""
    names = chance.sample("abc", chance.randint(1, 3))
    return {"version": 1, "tables": {name: _table(chance) for name in names}}


def _table(chance: Random) -> dict[str, Any]:
    fields = {name: _column(chance) for name in chance.sample("pqrstuv", chance.randint(0, 5))}
    found: dict[str, Any] = {"fields": fields, "indexes": _indexes(chance, list(fields))}
    found["permissions"] = _some(chance, lambda: _permissions(chance))
    found["expressionPermissions"] = _some(chance, lambda: _by(chance, _OPERATIONS))
    found["columnPermissions"] = _some(
        chance, lambda: {name: _by(chance, ("read", "write")) for name in fields}
    )
    found["rowFilters"] = _some(
        chance,
        lambda: [{"expression": chance.choice(_EXPRESSIONS), "filter": {"createdBy": "$userId"}}],
    )
    if chance.random() < 0.3:
        found["strict"] = True
    if chance.random() < 0.3:
        found["displayName"] = chance.choice(["One", "on", "Two: three"])
    return found


def _column(chance: Random, depth: int = 0) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [
        {"type": "string", "maxLength": chance.randint(1, 9)},
        {"type": "string", "enum": ["a", "no"], "default": "no"},
        {"type": "number", "minimum": chance.random()},
        {"type": "integer", "default": chance.randint(-9, 9)},
        {"type": ["boolean", "null"]},
        {"type": "date"},
        {"type": "reference", "table": "b"},
        {"type": "mixed", "default": {"x": [1, "1", None]}},
        {"type": "string", "default": None},
    ]
    if depth < 2:
        kinds.append({"type": "array", "items": _column(chance, depth + 1)})
        inner = {name: _column(chance, depth + 1) for name in chance.sample("xyz", 2)}
        kinds.append({"type": "object", "properties": inner})
    found = chance.choice(kinds)
    if chance.random() < 0.3:
        found["required"] = True
    if depth == 0 and found["type"] in ("string", "integer") and chance.random() < 0.3:
        found["unique"] = True
    return found


def _indexes(chance: Random, fields: list[str]) -> list[dict[str, Any]]:
    columns = [*fields, "createdAt"]
    return [
        {
            "name": f"i{number}",
            "fields": {n: chance.choice([1, -1]) for n in chance.sample(columns, 1)},
            **({"unique": True, "sparse": True} if chance.random() < 0.3 else {}),
        }
        for number in chance.sample(range(4), chance.randint(0, 3))
    ]


def _permissions(chance: Random) -> dict[str, Any]:
    groups = chance.sample(_GROUPS, chance.randint(0, 4))
    return {
        group: {word: chance.random() < 0.7 for word in chance.sample(_OPERATIONS, 3)}
        for group in groups
    }


def _by(chance: Random, words: tuple[str, ...]) -> dict[str, str]:
    chosen = chance.sample(words, chance.randint(0, len(words)))
    return {word: chance.choice(_EXPRESSIONS) for word in chosen}


def _some(chance: Random, make: Any) -> Any:
    return make() if chance.random() < 0.6 else None
