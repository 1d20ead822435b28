"""`bkend.yaml`: what it declares, and every refusal with its line (00 §9)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.query.row_filters import check_filter
from bkend.store import Index
from bkend.tables.declared import LEFT_OUT, DeclaredTable, FileProblem
from bkend.tables.file import read_tables
from bkend.tables.models import Table
from bkend.tables.schema import canonical_schema

CONTRACT = """
version: 1
tables:
  posts:
    fields:
      title:    {type: string, required: true, maxLength: 200}
      content:  {type: string}
      status:   {type: string, enum: [draft, published], default: draft}
      views:    {type: number, default: 0}
      tags:     {type: array, items: {type: string}}
    indexes:
      - {name: by_status, fields: {status: 1, createdAt: -1}}
    permissions:
      user:  {create: true, read: true, list: true}
      self:  {update: true, delete: true}
      guest: {read: true, list: true}
"""

# The table body (indented below `tables: t:` which is line 3, so its first line is 4).
TABLE_PROBLEMS: list[tuple[str, int, str]] = [
    ("feilds: {}", 4, "unknown key 'feilds' in table t; did you mean 'fields'?"),
    ("colour: red", 4, "unknown key 'colour' in table t"),
    ("rowFilter: []", 4, "unknown key 'rowFilter' in table t; did you mean 'rowFilters'?"),
    ("rowFilters: {}\nfields: {}", 4, "rowFilters is a list of rules"),
    (
        "fields: {}\nrowFilters:\n  - {expression: user, filter: {}}\n  - expression: usr\n"
        "    filter: {}",
        7,
        "rowFilters[1].expression: 'usr' is not expected at character 1",
    ),
    (
        "fields: {}\nrowFilters:\n  - expression: user\n    filter: {a: {$gt: []}}",
        7,
        "rowFilters[0].filter: $gt takes no array or object",
    ),
    (
        "fields: {a: date}\nrowFilters:\n  - expression: user\n    filter: {a: $userId}",
        7,
        "rowFilters[0].filter: a is compared with ISO 8601 dates",
    ),
    ("fields: {}\nrowFilters:\n  - filter: {}", 6, "rowFilters[0].expression is an expression"),
    ("fields: {}\nrowFilters:\n  - expression: user", 6, "rowFilters[0].filter is an object"),
    (
        "fields: {}\nrowFilters:\n  - expression: user\n    filter: {}\n    select: a",
        8,
        "unknown key 'select' in rowFilters[0]",
    ),
    ("columnPermissions: []", 4, "columnPermissions map columns to read and write"),
    ("columnPermissions:\n  a:\n    read: admin\n    list: user", 7, "'list' is no column"),
    ("columnPermissions:\n  a:\n    read: true", 6, "columnPermissions.a.read is an expression"),
    ("columnPermissions:\n  a: user", 5, "columnPermissions.a holds read and write"),
    ("columnPermissions:\n  createdBy: {read: admin}", 5, "createdBy is a system field"),
    ("columnPermissions:\n  a-b: {read: admin}", 5, "'a-b' is no column name"),
    ("expressionPermissions: user", 4, "expressionPermissions map operations to expressions"),
    ("expressionPermissions:\n  red: user", 5, "'red' is no operation"),
    (
        "expressionPermissions:\n  list: user\n  read: user &",
        6,
        "expressionPermissions.read: the expression ends where a word is expected",
    ),
    (
        "permissions:\n  list: user\n  read: usr",
        6,
        "expressionPermissions.read: 'usr' is not expected",
    ),
    (
        "permissions: {read: user}\nexpressionPermissions: {list: user}",
        4,
        "permissions holds expressions; expressionPermissions does so too",
    ),
    ("strict: yes", 4, "strict is true or false"),
    ("strict: 1", 4, "strict is true or false"),
    ("displayName: 5", 4, "displayName is a text"),
    ("description: [a]", 4, "description is a text"),
    ("fields: 5", 4, "the schema is a map of columns"),
    (
        "fields:\n  a: {type: string}\n  title: {type: string, requird: true}",
        6,
        "unknown key 'requird' in field title; did you mean 'required'?",
    ),
    (
        "fields:\n  title:\n    type: string\n    maxLength: -1",
        7,
        "title: -1 is not a valid maxLength",
    ),
    ("fields:\n  title:\n    type: string\n    max: -1", 7, "title: -1 is not a valid maxLength"),
    ("fields:\n  title:\n    type: strng", 6, "title: type 'strng' is not known"),
    ("fields:\n  title:\n    bsonType: regex", 6, "title: type 'regex' is not known"),
    ("fields:\n  a: string\n  b.c: string", 6, "'b.c' is no column name"),
    ("fields:\n  a: string\n  createdAt: date", 6, "createdAt is a system field"),
    (
        "fields:\n  a:\n    type: object\n    properties:\n      b:\n        type: x",
        9,
        "a.b: type 'x' is not known",
    ),
    (
        "fields:\n  a:\n    type: array\n    items:\n      type: string\n      patern: x",
        9,
        "unknown key 'patern' in field a[]; did you mean 'pattern'?",
    ),
    (
        "fields:\n  - {name: a, type: string}\n  - {name: b, type: strng}",
        6,
        "b: type 'strng' is not known",
    ),
    ("fields:\n  - {name: a, type: string}\n  - {type: string}", 6, "column 2 needs a name"),
    (
        "fields:\n  bsonType: object\n  properties:\n    a: {bsonType: x}",
        7,
        "a: type 'x' is not known",
    ),
    (
        "fields:\n  properties:\n    a: {bsonType: string}\n  required: [b]",
        4,
        "b is required but not declared",
    ),
    (
        "fields: {a: {type: date, default: soon}}",
        4,
        "a: the default must be an ISO 8601 date",
    ),
    (
        "strict: false\nfields:\n  properties: {}\n  additionalProperties: false",
        5,
        "strict: false contradicts additionalProperties: false",
    ),
    ("fields: {}\nindexes: {}", 5, "indexes is a list"),
    (
        "fields: {a: int}\nindexes:\n  - {name: x, fields: {a: 1}}\n  - {name: y, fields: {b: 1}}",
        7,
        "indexes[1]: there is no column 'b'",
    ),
    (
        "fields: {a: string}\nindexes:\n  - name: x\n    fields: {a: 1}\n    uniqe: true",
        8,
        "unknown key 'uniqe' in indexes[0]; did you mean 'unique'?",
    ),
    (
        "fields: {a: string}\nindexes:\n  - fields: {a: 1}\n    name: idx_createdBy",
        7,
        "idx_createdBy is a system index",
    ),
    (
        "fields: {a: int}\nindexes:\n  - {name: x, fields: {a: 1}}\n  - {name: x, fields: {a: 1}}",
        7,
        "index x stands twice",
    ),
    ("permissions: []", 4, "permissions map groups to operations"),
    ("permissions:\n  users: {read: true}", 5, "'users' is no group"),
    ("permissions:\n  user:\n    read: true\n    red: true", 7, "'red' is no operation"),
    ("permissions:\n  user:\n    read: yes", 6, "user.read is true or false"),
]

TOP_PROBLEMS: list[tuple[str, int, str]] = [
    ("", 1, "the file is a mapping with version and tables"),
    ("- a", 1, "the file is a mapping with version and tables"),
    ("tables: {}", 1, "version is missing; begin with version: 1"),
    ("version: 2\ntables: {}", 1, "version 2 is not known; write 1"),
    ("version: '1'\ntables: {}", 1, "version '1' is not known; write 1"),
    ("version: true\ntables: {}", 1, "version True is not known; write 1"),
    ("version: 1", 1, "tables is missing"),
    ("version: 1\ntables: []", 2, "tables maps names to their definitions"),
    ("version: 1\ntable: {}\ntables: {}", 2, "unknown key 'table' at the top; did you mean"),
    ("version: 1\ntables:\n  a: 5", 3, "table a is a mapping with fields"),
    ("version: 1\ntables:\n  1a: {}", 3, "'1a' cannot be a table name"),
    ("version: 1\ntables:\n  a b: {}", 3, "'a b' cannot be a table name"),
    ("version: 1\ntables:\n  _a: {}", 3, "'_a' cannot be a table name"),
    (f"version: 1\ntables:\n  {'a' * 65}: {{}}", 3, "cannot be a table name"),
    ("version: 1\ntables:\n  users: {}", 3, "'users' is a reserved name"),
    ("version: 1\ntables:\n  Storage: {}", 3, "'Storage' is a reserved name"),
    ("version: 1\ntables:\n  a: {}\n  A: {}", 4, "tables 'a' and 'A' differ only in case"),
    ("version: 1\ntables:\n  a: {}\n  a: {}", 4, "'a' stands twice, first on line 3"),
    ("version: 1\ntables: &a {}", 2, "anchors (&name) are not supported"),
    ("version: 1\n tables: {}", 2, "not valid YAML"),
]


def read(text: str) -> list[DeclaredTable]:
    return read_tables(text.encode(), "bkend.yaml", check_filter)


def refusals(text: str) -> list[str]:
    with pytest.raises(FileProblem) as caught:
        read(text)
    return str(caught.value).splitlines()


def declared(body: str) -> DeclaredTable:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    [table] = read(f"version: 1\ntables:\n  t:\n{indented}")
    return table


def existing(**changes: Any) -> Table:
    held: dict[str, Any] = {
        "id": "tbl_1",
        "name": "t",
        "schema": canonical_schema(
            {"a": "string", "b": {"type": "string", "unique": True}, "c": "int"}
        ),
        "indexes": (
            Index("by_a", (("a", 1),)),
            Index("by_c", (("createdAt", 1), ("c", -1))),
            Index("uq_b", (("b", 1),), unique=True, sparse=True),
        ),
        "permissions": {"guest": {"read": True}},
        "display_name": "The table",
        "description": None,
        "schema_version": 1,
        "index_version": 1,
    }
    return Table(**(held | changes))


def test_the_file_of_the_contract() -> None:
    [table] = read(CONTRACT)
    definition = table.definition(None)
    assert definition.name == "posts"
    assert definition.schema == {
        "bsonType": "object",
        "required": ["title"],
        "properties": {
            "title": {"bsonType": "string", "maxLength": 200},
            "content": {"bsonType": "string"},
            "status": {
                "bsonType": "string",
                "enum": ["draft", "published"],
                "default": "draft",
            },
            "views": {"bsonType": "double", "default": 0},
            "tags": {"bsonType": "array", "items": {"bsonType": "string"}},
        },
    }
    assert definition.indexes == (Index("by_status", (("status", 1), ("createdAt", -1))),)
    assert definition.permissions == {
        "user": {"create": True, "read": True, "list": True},
        "self": {"update": True, "delete": True},
        "guest": {"read": True, "list": True},
    }


@pytest.mark.parametrize("text", ["version: 1\ntables: {}", "version: 1\ntables:"])
def test_a_file_may_declare_no_tables(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize("body", ["", "fields:", "fields: {}", "{}"])
def test_a_new_table_may_have_no_columns_and_no_permissions(body: str) -> None:
    definition = declared(body).definition(None)
    assert definition.schema == canonical_schema({})
    assert definition.indexes == ()
    assert definition.permissions is None


def test_strict_refuses_undeclared_fields() -> None:
    definition = declared("strict: true\nfields: {a: string}").definition(None)
    assert definition.schema["additionalProperties"] is False
    assert "additionalProperties" not in declared("fields: {a: string}").definition(None).schema


def test_labels() -> None:
    definition = declared("displayName: Things\ndescription: All of them").definition(None)
    assert (definition.display_name, definition.description) == ("Things", "All of them")


@pytest.mark.parametrize(("body", "line", "message"), TABLE_PROBLEMS)
def test_problems_of_a_table_name_their_line(body: str, line: int, message: str) -> None:
    indented = "".join(f"    {part}\n" for part in body.splitlines())
    [problem] = refusals(f"version: 1\ntables:\n  t:\n{indented}")
    assert problem.startswith(f"bkend.yaml line {line}: {message}")


@pytest.mark.parametrize(("text", "line", "message"), TOP_PROBLEMS)
def test_problems_at_the_top_name_their_line(text: str, line: int, message: str) -> None:
    [problem] = refusals(text)
    assert problem.startswith(f"bkend.yaml line {line}: ")
    assert message in problem


def test_all_problems_are_told_in_the_order_of_their_lines() -> None:
    text = (
        "version: 3\n"
        "tables:\n"
        "  a:\n"
        "    permissions: {nobody: {}}\n"
        "    fields: {x: {type: strng}}\n"
        "  b:\n"
        "    fields: {x: string}\n"
        "    indexes: [{name: i, fields: {y: 1}}]\n"
        "    rowFilters: [{expression: usr, filter: {}}]\n"
        "    columnPermissions: {x: {read: usr}}\n"
    )
    assert [problem.split(":")[0] for problem in refusals(text)] == [
        f"bkend.yaml line {line}" for line in (1, 4, 5, 8, 9, 10)
    ]


# -- what a file leaves out ---------------------------------------------------------------


def test_what_is_left_out_stays_as_it_is() -> None:
    table = declared("")
    assert table.permissions is LEFT_OUT
    definition = table.definition(existing())
    held = existing()
    assert definition.schema == held.schema
    assert set(definition.indexes) == set(held.indexes)
    assert definition.permissions == held.permissions
    assert definition.display_name == "The table"


def test_null_and_empty_are_declared() -> None:
    body = "permissions: null\nindexes: []\ndisplayName: null\nfields: {}"
    definition = declared(body).definition(existing())
    assert definition.permissions is None
    assert definition.indexes == ()
    assert definition.display_name is None
    assert definition.schema["properties"] == {}


def test_the_four_permission_parts() -> None:
    body = (
        "permissions: {user: {read: true}}\n"
        "expressionPermissions: {read: user & self | role:editor}\n"
        "columnPermissions: {a: {read: admin, write: self}, undeclared: {read: user}}\n"
        "rowFilters:\n"
        "  - {expression: guest, filter: {a: x}}\n"
        "  - {expression: user, filter: {c: {$gte: 1}, b: {$in: [$userId]}}}"
    )
    definition = declared(body).definition(existing())
    assert definition.permissions == {"user": {"read": True}}
    assert definition.expression_permissions == {"read": "user & self | role:editor"}
    assert definition.column_permissions == {
        "a": {"read": "admin", "write": "self"},
        "undeclared": {"read": "user"},
    }
    assert definition.row_filters == [
        {"expression": "guest", "filter": {"a": "x"}},
        {"expression": "user", "filter": {"c": {"$gte": 1}, "b": {"$in": ["$userId"]}}},
    ]


def test_permissions_with_operations_are_expressions() -> None:
    definition = declared("permissions: {read: user, list: public}").definition(existing())
    assert definition.expression_permissions == {"read": "user", "list": "public"}
    assert definition.permissions == existing().permissions


PARTS: dict[str, Any] = {
    "expression_permissions": {"read": "user"},
    "column_permissions": {"a": {"read": "admin"}, "b": {"read": "user"}},
    "row_filters": [{"expression": "user", "filter": {}}],
}


def test_permission_parts_that_are_left_out_stay_and_null_removes_them() -> None:
    held = existing(**PARTS)
    kept = declared("").definition(held)
    assert {name: getattr(kept, name) for name in PARTS} == PARTS
    body = "expressionPermissions: null\ncolumnPermissions: null\nrowFilters: null"
    gone = declared(body).definition(held)
    assert [getattr(gone, name) for name in PARTS] == [None, None, None]


def test_column_permissions_of_columns_that_go_go_too() -> None:
    held = existing(**PARTS)
    definition = declared("fields: {a: string}").definition(held)
    assert definition.column_permissions == {"a": {"read": "admin"}}
    table = declared("fields: {a: string}\ncolumnPermissions:\n  b: {read: user}")
    with pytest.raises(FileProblem, match="line 6: b has column permissions, but"):
        table.definition(held)


def test_row_filters_are_checked_against_the_columns_of_the_existing_table() -> None:
    held = existing(schema=canonical_schema({"due": "date"}), indexes=())
    table = declared("rowFilters:\n  - {expression: user, filter: {due: soon}}")
    with pytest.raises(FileProblem, match=r"line 5: .*due is compared with ISO 8601 dates"):
        table.definition(held)


def test_indexes_of_columns_that_go_go_too() -> None:
    definition = declared("fields: {a: string}").definition(existing())
    assert [index.name for index in definition.indexes] == ["by_a"]


def test_fields_without_strict_are_not_strict_but_strict_alone_keeps_the_fields() -> None:
    strict = existing(schema=existing().schema | {"additionalProperties": False})
    assert "additionalProperties" not in declared("fields: {a: string}").definition(strict).schema
    assert declared("").definition(strict).schema["additionalProperties"] is False
    loosened = declared("strict: false").definition(strict).schema
    assert loosened == existing().schema
    tightened = declared("strict: true").definition(existing()).schema
    assert tightened == strict.schema


def test_indexes_without_fields_are_checked_against_the_table() -> None:
    table = declared("indexes:\n  - {name: x, fields: {c: 1}}")
    names = [index.name for index in table.definition(existing()).indexes]
    assert names == ["x", "uq_b"]
    with pytest.raises(FileProblem, match=r"^bkend.yaml line 5: indexes\[0\]: there is no column"):
        table.definition(None)
