"""YAML with lines: what is read, and what is refused where."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.tables.source import MOST_BYTES, SourceProblem, read_source

VALUES: list[tuple[str, Any]] = [
    ("a: 1", {"a": 1}),
    ("a: +1", {"a": 1}),
    ("a: -1.5e3", {"a": -1500.0}),
    ("a: .5", {"a": 0.5}),
    ("a: 0x1F", {"a": 31}),
    ("a: 0o17", {"a": 15}),
    ("a: 007", {"a": 7}),
    ("a: 9223372036854775807", {"a": 2**63 - 1}),
    ("a: 100000000000000000000000", {"a": 1e23}),
    ("a: true", {"a": True}),
    ("a: False", {"a": False}),
    ("a: null", {"a": None}),
    ("a: ~", {"a": None}),
    ("a:", {"a": None}),
    ("a: ''", {"a": ""}),
    ("a: 'true'", {"a": "true"}),
    ('a: "1"', {"a": "1"}),
    # Words that older YAML takes for something else.
    ("a: yes", {"a": "yes"}),
    ("a: off", {"a": "off"}),
    ("a: 2024-01-15", {"a": "2024-01-15"}),
    ("a: 12:30", {"a": "12:30"}),
    ("a: 1_000", {"a": "1_000"}),
    ("a: .inf", {"a": ".inf"}),
    ("a: =", {"a": "="}),
    ("<<: {a: 1}", {"<<": {"a": 1}}),
    ("no: 1\ntrue: 2\n3: 4\n~: 5", {"no": 1, "true": 2, "3": 4, "~": 5}),
    ("[1, [2, {a: b}]]", [1, [2, {"a": "b"}]]),
    ("- 1\n- a: 2\n  b: 3\n", [1, {"a": 2, "b": 3}]),
    ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ("﻿a: ü # comment", {"a": "ü"}),
    ("", None),
    ("# nothing", None),
    ("---\na: 1\n...\n", {"a": 1}),
    ('{"a": [1, null, "\\u00fc"]}', {"a": [1, None, "ü"]}),
]

REFUSED: list[tuple[bytes, int, str]] = [
    (b"a: 1\nb: 2\na: 3", 3, "'a' stands twice, first on line 1"),
    (b"a: {b: 1,\n b: 2}", 2, "'b' stands twice"),
    (b"a: &x 1", 1, "anchors"),
    (b"a: 1\nb: *x", 2, "aliases"),
    (b"a: &x {y: 1}\nb: {<<: *x}", 1, "anchors"),
    (b"a: !!python/object/apply:os.system [x]", 1, "tags"),
    (b"a: !!str 1", 1, "tags"),
    (b"a: 1\n---\nb: 2", 2, "only one document"),
    (b"? [1]\n: 2", 1, "a key is a word"),
    (b"a: 1\n\tb: 2", 2, "not valid YAML"),
    (b"a: [1,\nb: 2", 2, "not valid YAML"),
    (b"a: 'x", 1, "not valid YAML"),
    (b"a: \x01", 1, "not valid YAML"),
    (b"a: 1\nb: \xff", 2, "not UTF-8"),
    (b"a: 1e400", 1, "too large a number"),
    (b"a: " + b"9" * 5000, 1, "too large a number"),
    (b"a: " + b"[" * 100 + b"]" * 100, 1, "nested deeper"),
    (b"[" * 200_000, 1, "nested deeper"),
    (b"- " * 1000 + b"x", 1, "nested deeper"),
    (b"a: 1\n" + b"#" * MOST_BYTES, 1, "larger than 1 MiB"),
    (b'a: "\\ud800"', 1, ""),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: Any) -> None:
    found = read_source(text.encode()).plain()
    assert found == value
    assert repr(found) == repr(value)


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_refusals_name_their_line(text: bytes, line: int, message: str) -> None:
    with pytest.raises(SourceProblem) as caught:
        read_source(text)
    assert caught.value.line == line
    assert message in str(caught.value)


def test_lines_are_those_of_keys_and_items() -> None:
    root = read_source(b"a:\n\n  b: 1\n  c:\n    - x\n    - y: |\n        long\n      z: 2\n")
    a = root.child("a")
    assert a is not None
    assert a.line == 1
    b, c = a.child("b"), a.child("c")
    assert b is not None
    assert c is not None
    assert (b.line, c.line) == (3, 4)
    assert c.items is not None
    assert [item.line for item in c.items] == [5, 6]
    z = c.items[1].child("z")
    assert z is not None
    assert z.line == 8
