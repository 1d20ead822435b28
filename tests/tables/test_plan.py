"""The steps from the tables that there are to those that a file declares, and taking them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from bkend.store import Conflict, Find, Insert, Store
from bkend.tables.declared import FileProblem
from bkend.tables.errors import DuplicateValue, TableExists
from bkend.tables.file import read_tables
from bkend.tables.models import Table
from bkend.tables.plan import Plan, make_plan, take
from bkend.tables.service import Tables

POSTS = """
fields:
  title: {type: string, required: true, maxLength: 200}
  slug: {type: string, unique: true}
  views: {type: number, default: 0}
indexes:
  - {name: by_views, fields: {views: -1}}
permissions:
  user: {create: true, read: true, list: true}
  self: {update: true}
displayName: Posts
"""

# What replaces a line of POSTS, and the steps that this makes: action, subject, detail.
CHANGES: list[tuple[str, str, list[tuple[str, str, str]]]] = [
    ("maxLength: 200", "maxLength: 100", [("changeField", "title", "maxLength 200 -> 100")]),
    ("maxLength: 200", "minLength: 1", [("changeField", "title", "minLength 1, no maxLength")]),
    ("required: true, ", "", [("changeField", "title", "no longer required")]),
    (
        "views: {type: number",
        "views: {type: int",
        [("changeField", "views", "number -> integer (stored values stay as they are)")],
    ),
    ("default: 0", "default: 1", [("changeField", "views", "default 0 -> 1")]),
    ("default: 0", "default: null", [("changeField", "views", "default 0 -> null")]),
    ("default: 0", "required: true", [("changeField", "views", "required, no default")]),
    (
        "default: 0",
        "description: Seen",
        [("changeField", "views", "no default, other description")],
    ),
    (
        ", unique: true",
        "",
        [
            ("changeField", "slug", "no longer unique"),
            ("removeIndex", "uq_slug", "slug, unique, sparse"),
        ],
    ),
    (
        "  views: {type: number, default: 0}",
        "  views: {type: number, default: 0, unique: true}\n  body: {type: string, min: 1}",
        [
            ("changeField", "views", "unique"),
            ("addField", "body", "string, minLength 1"),
            ("createIndex", "uq_views", "views, unique, sparse"),
        ],
    ),
    (
        "  slug: {type: string, unique: true}\n",
        "",
        [
            ("removeField", "slug", "no row holds a value"),
            ("removeIndex", "uq_slug", "slug, unique, sparse"),
        ],
    ),
    (
        "fields: {views: -1}",
        "fields: {views: 1, createdAt: -1}, unique: true",
        [("replaceIndex", "by_views", "views, createdAt descending, unique")],
    ),
    (
        "name: by_views",
        "name: most_viewed",
        [
            ("removeIndex", "by_views", "views descending"),
            ("createIndex", "most_viewed", "views descending"),
        ],
    ),
    ("  self: {update: true}\n", "", [("setPermissions", "", "self nothing")]),
    (
        "list: true}",
        "list: false}",
        [("setPermissions", "", "user create read but not list")],
    ),
    (
        "permissions:\n  user: {create: true, read: true, list: true}\n  self: {update: true}",
        "permissions: null",
        [("setPermissions", "", "not configured, the defaults apply")],
    ),
    (
        "permissions:\n  user: {create: true, read: true, list: true}\n  self: {update: true}",
        "permissions: {}",
        [("setPermissions", "", "nobody but admins may do anything")],
    ),
    (
        "displayName: Posts",
        "displayName: Posts\nexpressionPermissions: {list: public, read: user & self}",
        [("setExpressionPermissions", "", "read: user & self; list: public")],
    ),
    (
        "displayName: Posts",
        "displayName: Posts\ncolumnPermissions: {views: {read: admin, write: admin}, x: {}}",
        [("setColumnPermissions", "", "views read admin, write admin; x open")],
    ),
    (
        "displayName: Posts",
        "displayName: Posts\nrowFilters: [{expression: guest, filter: {views: {$gt: 1}}}]",
        [("setRowFilters", "", 'guest {"views":{"$gt":1}}')],
    ),
    (
        "displayName: Posts",
        "displayName: Articles\ndescription: x",
        [("setLabels", "", "displayName and description")],
    ),
    (
        "displayName: Posts",
        "displayName: Posts\nstrict: true",
        [("setStrict", "", "undeclared fields are refused")],
    ),
    # The order of columns and what the file leaves out are no changes.
    ("displayName: Posts", "", []),
    ("indexes:\n  - {name: by_views, fields: {views: -1}}\n", "", []),
]


def file_of(**bodies: str) -> bytes:
    parts = ["version: 1\ntables:\n"]
    for name, body in bodies.items():
        parts.append(f"  {name}:\n")
        parts.extend(f"    {line}\n" for line in body.strip().splitlines())
    return "".join(parts).encode()


async def plan_of(tables: Tables, **bodies: str) -> Plan:
    return await make_plan(tables, read_tables(file_of(**bodies)))


async def apply(tables: Tables, **bodies: str) -> Plan:
    plan = await plan_of(tables, **bodies)
    for change in plan.changes:
        await take(change, tables)
    return plan


async def table(tables: Tables, name: str) -> Table:
    found = await tables.get(name)
    assert found is not None
    return found.table


async def insert(store: Store, where: Table, *rows: dict[str, Any]) -> None:
    held = await store.count(where.collection)
    await store.commit(
        [
            Insert(where.collection, f"r{held + number:04}", row, 1000, 1000)
            for number, row in enumerate(rows)
        ]
    )


async def rows_of(store: Store, where: Table) -> list[dict[str, Any]]:
    page = await store.find(Find(where.collection, descending=False, limit=5000))
    found: list[dict[str, Any]] = orjson.loads(page.items)
    return found


def steps(plan: Plan) -> list[tuple[str, str, str]]:
    return [(step.action, step.subject, step.detail) for step in plan.steps]


async def test_a_new_table_is_one_change_of_many_steps(tables: Tables) -> None:
    plan = await plan_of(tables, posts=POSTS)
    assert steps(plan) == [
        ("createTable", "", "3 fields"),
        ("addField", "title", "string, required, maxLength 200"),
        ("addField", "slug", "string, unique"),
        ("addField", "views", "number, default 0"),
        ("createIndex", "by_views", "views descending"),
        ("createIndex", "uq_slug", "slug, unique, sparse"),
        ("setPermissions", "", "user create read list; self update"),
    ]
    assert not plan.loses_data
    assert await tables.list() == []


async def test_applying_makes_what_the_file_declares(tables: Tables) -> None:
    await apply(tables, posts=POSTS)
    found = await table(tables, "posts")
    [wanted] = read_tables(file_of(posts=POSTS))
    definition = wanted.definition(None)
    assert (found.schema, found.indexes) == (definition.schema, definition.indexes)
    assert (found.permissions, found.display_name) == (definition.permissions, "Posts")


async def test_the_second_time_there_is_nothing_to_do(tables: Tables) -> None:
    everything = """
fields:
  at: {type: date, default: 2024-01-15}
  big: {type: number, maximum: 100000000000000000000000, default: 1.0}
  who: {type: reference, table: users}
  maybe: {type: [int, 'null'], required: true}
  place:
    type: object
    properties: {city: {type: string, required: true}, zip: {type: string, required: true}}
strict: true
permissions: {guest: {}}
indexes: [{name: a, fields: {place.city: 1, _id: -1}, sparse: true}]
"""
    await apply(tables, posts=POSTS, other=everything)
    plan = await plan_of(tables, posts=POSTS, other=everything)
    assert plan.changes == ()


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
async def test_changes_are_told_and_made(
    tables: Tables, old: str, new: str, expected: list[tuple[str, str, str]]
) -> None:
    await apply(tables, posts=POSTS)
    assert old in POSTS
    changed = POSTS.replace(old, new)
    plan = await apply(tables, posts=changed)
    assert steps(plan) == expected
    assert not plan.loses_data
    assert (await plan_of(tables, posts=changed)).changes == ()


async def test_another_order_of_columns_is_no_change(tables: Tables) -> None:
    place = "place: {type: object, properties: {a: {type: string, required: true}, b: int}}"
    turned = "place: {type: object, properties: {b: int, a: {type: string, required: true}}}"
    one = "a: {type: string, required: true}"
    two = "b: {type: string, required: true}"
    await apply(tables, t=f"fields:\n  {one}\n  {two}\n  {place}")
    assert (await plan_of(tables, t=f"fields:\n  {two}\n  {turned}\n  {one}")).changes == ()


async def test_changes_inside_a_column_are_told(tables: Tables) -> None:
    await apply(
        tables, t="fields:\n  p: {type: object, properties: {a: string}}\n  l: Array(String)"
    )
    plan = await plan_of(
        tables,
        t="fields:\n  p: {type: object, properties: {a: {type: int, required: true}}}\n"
        "  l: Array(Int)",
    )
    assert steps(plan) == [
        ("changeField", "p", "other fields inside, other required fields inside"),
        (
            "changeField",
            "l",
            "array of string -> array of integer (stored values stay as they are), other elements",
        ),
    ]


async def test_tables_that_the_file_does_not_name_are_left_alone(
    tables: Tables, store: Store
) -> None:
    await apply(tables, posts=POSTS, notes="fields: {a: string}")
    await insert(store, await table(tables, "notes"), {"a": "x"})
    plan = await apply(tables, posts=POSTS)
    assert plan.changes == ()
    assert plan.untouched == ("notes",)
    assert len(await rows_of(store, await table(tables, "notes"))) == 1


async def test_a_name_that_differs_only_in_case_is_refused(tables: Tables) -> None:
    await apply(tables, posts=POSTS)
    with pytest.raises(TableExists, match="'posts'"):
        await plan_of(tables, Posts=POSTS)


async def test_indexes_without_fields_are_checked_against_the_existing_table(
    tables: Tables,
) -> None:
    await apply(tables, t="fields: {a: string}")
    good = await plan_of(tables, t="indexes: [{name: x, fields: {a: 1}}]")
    assert steps(good) == [("createIndex", "x", "a")]
    with pytest.raises(FileProblem, match=r"line 4: .*no column 'b'"):
        await plan_of(tables, t="indexes: [{name: x, fields: {b: 1}}]")


# -- losing data --------------------------------------------------------------------------


async def test_removing_a_column_that_rows_hold_loses_data(tables: Tables, store: Store) -> None:
    await apply(tables, t="fields: {a: string, b: string, c: string}")
    held = await table(tables, "t")
    await insert(store, held, {"a": "1", "b": "2"}, {"b": None}, {"a": "3"})
    plan = await plan_of(tables, t="fields: {a: string}")
    assert [(step.subject, step.detail, step.loses_data) for step in plan.steps] == [
        ("b", "2 rows hold a value; it is erased for good", True),
        ("c", "no row holds a value", False),
    ]
    assert plan.loses_data


async def test_removed_columns_are_erased_from_every_row_and_nothing_else_is(
    tables: Tables, store: Store
) -> None:
    await apply(tables, t="fields: {a: string, b: string, c: string}")
    held = await table(tables, "t")
    await insert(store, held, *({"a": f"{n}", "b": "x", "x": n} for n in range(1203)), {"x": 1})
    before = await rows_of(store, held)
    seen: list[int] = []
    plan = await plan_of(tables, t="fields: {a: string}")
    await take(plan.changes[0], tables, seen.append)
    after = await rows_of(store, held)
    assert after == [
        {key: value for key, value in row.items() if key not in ("b", "c")} for row in before
    ]
    assert seen[-1] == 1204
    assert seen == sorted(seen)


async def test_an_erasure_that_was_cut_short_is_found_and_finished(
    tables: Tables, store: Store
) -> None:
    await apply(tables, t="fields: {a: string, b: string}")
    held = await table(tables, "t")
    await insert(store, held, *({"b": "x"} for _ in range(700)))

    def fail(rows: int) -> None:
        raise KeyboardInterrupt

    plan = await plan_of(tables, t="fields: {a: string}")
    with pytest.raises(KeyboardInterrupt):
        await take(plan.changes[0], tables, fail)
    assert any("b" in row for row in await rows_of(store, held))
    assert (await apply(tables, t="fields: {a: string}")).loses_data
    assert not any("b" in row for row in await rows_of(store, held))


async def test_rows_written_during_an_erasure_are_erased_too(tables: Tables, store: Store) -> None:
    await apply(tables, t="fields: {a: string, b: string}")
    held = await table(tables, "t")
    await insert(store, held, *({"b": "x"} for _ in range(1200)))
    late = Insert(held.collection, "a-first-id", {"b": "late"}, 1000, 1000)
    writing: list[asyncio.Task[Any]] = []

    def write_behind(rows: int) -> None:
        if not writing:
            writing.append(asyncio.create_task(store.commit([late])))

    plan = await plan_of(tables, t="fields: {a: string}")
    await take(plan.changes[0], tables, write_behind)
    await writing[0]
    rows = await rows_of(store, held)
    assert len(rows) == 1201
    assert not any("b" in row for row in rows)


async def test_a_unique_index_over_duplicates_changes_nothing(tables: Tables, store: Store) -> None:
    await apply(tables, t="fields: {a: string, b: string}")
    held = await table(tables, "t")
    await insert(store, held, {"a": "same", "b": "x"}, {"a": "same"})
    plan = await plan_of(tables, t="fields: {a: {type: string, unique: true, max: 5}}")
    with pytest.raises(DuplicateValue, match="unique index on a of 't'") as caught:
        await take(plan.changes[0], tables)
    assert caught.value.details[0]["field"] == "a"
    assert await table(tables, "t") == held
    assert "b" in (await rows_of(store, held))[0]
    again = await plan_of(tables, t="fields: {a: {type: string, unique: true, max: 5}}")
    assert steps(again) == steps(plan)


async def test_each_change_of_columns_or_indexes_is_one_version(tables: Tables) -> None:
    await apply(tables, t="fields: {a: string}")
    await apply(tables, t="fields: {a: string}\npermissions: {user: {read: true}}")
    held = await table(tables, "t")
    assert (held.schema_version, held.index_version) == (1, 1)
    await apply(tables, t="fields: {a: int, b: {type: string, unique: true}}")
    held = await table(tables, "t")
    assert (held.schema_version, held.index_version) == (2, 2)


RULES = """
fields: {a: string, b: string}
expressionPermissions: {read: user, update: self}
columnPermissions: {a: {read: admin}, b: {write: self}}
rowFilters: [{expression: user, filter: {}}]
"""
RULE_CHANGES: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("read: user, ", "", [("setExpressionPermissions", "read: none, permissions apply")]),
    ("{read: user, update: self}", "{}", [("setExpressionPermissions", "none, permissions apply")]),
    ("update: self", "update: user", [("setExpressionPermissions", "update: user")]),
    ("a: {read: admin}, ", "", [("setColumnPermissions", "a open")]),
    (
        "{a: {read: admin}, b: {write: self}}",
        "null",
        [("setColumnPermissions", "none, every column is as open as its record")],
    ),
    (
        "[{expression: user, filter: {}}]",
        "[]",
        [("setRowFilters", "none, lists show every row that may be read")],
    ),
]


@pytest.mark.parametrize(("old", "new", "steps"), RULE_CHANGES)
async def test_changes_of_rules_are_told_and_taken(
    tables: Tables, old: str, new: str, steps: list[tuple[str, str]]
) -> None:
    await apply(tables, t=RULES)
    plan = await apply(tables, t=RULES.replace(old, new))
    assert [(step.action, step.detail) for step in plan.steps] == steps
    assert (await plan_of(tables, t=RULES.replace(old, new))).changes == ()


async def test_the_rules_of_a_field_go_with_it(tables: Tables) -> None:
    await apply(tables, t=RULES)
    fields = "fields: {a: string, c: string}"
    plan = await apply(tables, t=fields)
    assert [(step.action, step.subject or step.detail) for step in plan.steps] == [
        ("removeField", "b"),
        ("addField", "c"),
        ("setColumnPermissions", "b open"),
    ]
    assert (await plan_of(tables, t=fields)).changes == ()


async def test_a_new_table_gets_its_rules(tables: Tables) -> None:
    plan = await apply(tables, t=RULES)
    assert [step.action for step in plan.steps][-3:] == [
        "setExpressionPermissions",
        "setColumnPermissions",
        "setRowFilters",
    ]
    found = await tables.get("t")
    assert found is not None
    assert found.table.expression_permissions == {"read": "user", "update": "self"}
    assert found.table.column_permissions == {"a": {"read": "admin"}, "b": {"write": "self"}}
    assert found.table.row_filters == [{"expression": "user", "filter": {}}]


@pytest.mark.parametrize(
    "change",
    ["permissions: {guest: {}}", "rowFilters: []", "displayName: X", "fields: {a: string}"],
)
async def test_a_change_of_a_table_that_was_changed_meanwhile_is_refused(
    tables: Tables, change: str
) -> None:
    await apply(tables, t=RULES)
    late = await plan_of(tables, t=change)
    await apply(tables, t="permissions: {user: {read: true}}")
    with pytest.raises(Conflict):
        await take(late.changes[0], tables)
    found = await tables.get("t")
    assert found is not None
    assert found.table.permissions == {"user": {"read": True}}
    assert "b" in found.table.schema["properties"]
