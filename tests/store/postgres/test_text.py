"""Patterns, containment and search give exactly what the text functions say, of any string."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bkend.store import (
    ALWAYS,
    Check,
    Condition,
    Conflict,
    Contains,
    Delete,
    DeleteWhere,
    Equals,
    Matches,
    Mentions,
    Not,
    Store,
    Update,
    all_of,
    any_of,
)
from bkend.store.text import compile_pattern, fold
from tests.store.rows import THINGS, find_ids, insert

STRINGS = [
    "",
    "Plain",
    "plain text",
    "PLAIN",
    "Straße",
    "STRASSE",
    "cafe\u0301",
    "CAF\u00c9",
    "\u212aelvin",  # a Kelvin sign folds to k
    "İstanbul",
    "a\0b",
    "a\1b",
    "\1\2",
    "line\nbreak",
    "50% _off_",
    "한국어",
    "😀 smile",
]


async def hold(store: Store) -> dict[str, str]:
    """Each string at the top, in an array and below an array; ids with their string."""
    inserts = []
    held: dict[str, str] = {}
    for place, text in enumerate(STRINGS):
        for shape, fields in (
            ("top", {"v": text, "n": 1}),
            ("array", {"v": [1, text], "n": 2}),
            ("deep", {"v": [{"w": text}, {"w": 5}], "n": 3}),
        ):
            id = f"{place:02}-{shape}"
            inserts.append(insert(id, fields))
            held[id] = text
    await store.commit(inserts)
    return held


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [
        ("^pl", ""),
        ("^pl", "i"),
        ("é$", "i"),
        ("a.b", ""),
        ("a.b", "s"),
        (r"\x00", ""),
        ("^break", "m"),
        ("^break", ""),
        ("한", ""),
        ("l a in # comment", "x"),
        ("", ""),
        ("[^\\x00-\\x7f]", ""),
    ],
)
async def test_patterns_are_those_of_re2(store: Store, pattern: str, flags: str) -> None:
    held = await hold(store)
    search = compile_pattern(pattern, flags).search
    for path, shapes in ((("v",), ("top", "array")), (("v", "w"), ("deep",))):
        wanted = sorted(
            id for id, text in held.items() if id.endswith(shapes) and search(text) is not None
        )
        assert sorted(await find_ids(store, Matches(path, pattern, flags))) == wanted


@pytest.mark.parametrize(
    "needle",
    ["plain", "strasse", "CAFÉ", "é", "k", "i", "\0", "\1", "\2", "\1\1", "% _", "국", "😀", "n"],
)
async def test_containment_is_of_folded_text(store: Store, needle: str) -> None:
    held = await hold(store)
    text = fold(needle)
    matching = {id for id, found in held.items() if text in fold(found)}
    top = sorted(id for id in matching if id.endswith(("top", "array")))
    assert sorted(await find_ids(store, Contains(("v",), text))) == top
    deep = sorted(id for id in matching if id.endswith("deep"))
    assert sorted(await find_ids(store, Contains(("v", "w"), text))) == deep
    assert sorted(await find_ids(store, Mentions(text))) == top
    assert await find_ids(store, Mentions(text, frozenset({"v"}))) == []
    assert await store.count(THINGS, Not(Contains(("v",), text))) == len(held) - len(top)


async def test_text_conditions_combine_with_others(store: Store) -> None:
    await hold(store)
    either = any_of(Matches(("v",), "^Straße$"), Contains(("v",), "strasse"))
    assert await find_ids(store, all_of(either, Equals(("n",), 1))) == ["04-top", "05-top"]
    assert await find_ids(store, all_of(Contains(("id",), "04-t"), either)) == ["04-top"]
    assert await find_ids(store, all_of(Equals(("n",), 7), either)) == []


async def test_text_conditions_bind_commits(store: Store) -> None:
    held = await hold(store)
    strasse = Contains(("v",), "straße".casefold())
    assert await store.commit([Check(THINGS, strasse, 4, 4)]) == [4]
    with pytest.raises(Conflict):
        await store.commit([Update(THINGS, "00-top", set={"n": 9}, guard=strasse)])
    await store.commit([Update(THINGS, "04-top", set={"n": 9}, guard=strasse)])
    with pytest.raises(Conflict):
        await store.commit([Delete(THINGS, "00-top", guard=Matches(("v",), "x"))])
    assert await store.commit([DeleteWhere(THINGS, Not(strasse))]) == [len(held) - 4]
    assert await store.commit([DeleteWhere(THINGS, strasse)]) == [4]
    assert await store.count(THINGS, ALWAYS) == 0


letters = st.text(st.sampled_from("aAkK\u212a\u00e9e\u0301\u00c9ßsSİi\0\1\2ΣσςñÑ"), max_size=5)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(letters, min_size=1, max_size=12), letters.filter(bool))
async def test_any_text_is_found_as_the_functions_say(
    store: Store, drawn: list[str], needle: str
) -> None:
    rows = [insert(f"{place:02}", {"v": text}) for place, text in enumerate(drawn)]
    await store.commit([DeleteWhere(THINGS, ALWAYS), *rows])
    text = fold(needle)
    wanted: dict[Condition, Any] = {
        Contains(("v",), text): lambda found: text in fold(found),
        Mentions(text): lambda found: text in fold(found),
    }
    for condition, holds in wanted.items():
        expected = [f"{place:02}" for place, found in enumerate(drawn) if holds(found)]
        assert await find_ids(store, condition) == expected
