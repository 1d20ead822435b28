"""Plain data as YAML: whatever goes in comes out of the reader again."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bkend.tables.layout import yaml_text
from bkend.tables.source import read_source

TEXTS = ["", " ", "a", "yes", "No", "on", "null", "~", "true", "1", "1.5", "1e3", ".5", "0x1f"]
TEXTS += ["- a", "a: b", "a #b", "#a", "&a", "*a", "!a", "%a", "@a", "`a`", "? a", "{a}", "[a]"]
TEXTS += ['"a"', "'a'", "a\nb", "a\tb", "\0", "\x7f", "\x85", "\u2028", "\ufeff", "\u00a0", "한글"]
TEXTS += [
    "😀",
    "a\\b",
    "2024-01-01",
    "user & self",
    "role:editor",
    "$userId",
    "---",
    "...",
    "=",
    "<<",
]
NUMBERS = [0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 0.5, -0.5, 1e16, 1e-7, 1.5e-9, 1e300, 5e-324]
LONG = "k" * 2000

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
    | st.sampled_from(TEXTS)
)
_data = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=30,
)


def again(document: dict[str, Any], blocks: int = 2) -> Any:
    return read_source(yaml_text(document, blocks).encode()).plain()


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_texts, _data, min_size=1, max_size=5), st.integers(0, 5))
def test_what_goes_in_comes_out(document: dict[str, Any], blocks: int) -> None:
    assert again(document, blocks) == document


@pytest.mark.parametrize("value", [*TEXTS, *NUMBERS], ids=ascii)
def test_other_readers_of_yaml_read_the_same(value: Any) -> None:
    text = yaml_text({"key": [value, {"inner": value}]}, 0)
    assert yaml.safe_load(text) == {"key": [value, {"inner": value}]}
    assert again({"key": value}) == {"key": value}


@pytest.mark.parametrize("word", ["yes", "on", "null", "Off", "true", ""])
def test_keys_are_texts_for_other_readers_too(word: str) -> None:
    assert yaml.safe_load(yaml_text({word: {word: 1}}, 5)) == {word: {word: 1}}


def test_keys_of_any_length_are_keys() -> None:
    document = {"fields": {"a": {"default": {LONG: [{LONG: 1}], "b": 2}}}, "x": 1}
    assert again(document, 4) == document


def test_what_fits_stands_on_one_line_and_the_rest_is_spread() -> None:
    fields = {
        "title": {"type": "string", "required": True},
        "place": {
            "type": "object",
            "properties": {f"line{n}": {"type": "string"} for n in range(5)},
        },
    }
    filters = [{"expression": "user & self", "filter": {"owner": "$userId"}}]
    document = {"tables": {"t": {"fields": fields, "rowFilters": filters, "indexes": []}}}
    assert yaml_text(document, 4).splitlines() == [
        "tables:",
        "  t:",
        "    fields:",
        "      title: {type: string, required: true}",
        "      place:",
        "        type: object",
        "        properties:",
        "          line0: {type: string}",
        "          line1: {type: string}",
        "          line2: {type: string}",
        "          line3: {type: string}",
        "          line4: {type: string}",
        "    rowFilters:",
        '      - {expression: "user & self", filter: {owner: $userId}}',
        "    indexes: []",
    ]
