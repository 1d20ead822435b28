"""Plain data as YAML that people read: blocks outside, one line for what fits on it.

What comes out is read by `bkend.tables.source` as what went in, and by other readers of YAML too:
words that some of them take for booleans or nothing are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

_WIDTH = 100
_STEP = 2
_LONGEST_SIMPLE_KEY = 500
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.-]*\Z")
_OTHERWISE_READ = frozenset({"true", "false", "yes", "no", "on", "off", "null"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_EXPONENT = re.compile(r"^(-?[0-9]+)(e.*)$")


def yaml_text(document: Mapping[str, Any], blocks: int) -> str:
    """The document, its outer `blocks` levels always spread over lines."""
    return "\n".join(_mapping(document, 0, blocks)) + "\n"


def _mapping(given: Mapping[str, Any], indent: int, blocks: int) -> Iterator[str]:
    for key, value in given.items():
        yield from _entry(f"{' ' * indent}{_key(key)}:", value, indent, blocks - 1)


def _sequence(given: Sequence[Any], indent: int, blocks: int) -> Iterator[str]:
    for value in given:
        yield from _entry(f"{' ' * indent}-", value, indent, blocks - 1)


def _entry(start: str, value: Any, indent: int, blocks: int) -> Iterator[str]:
    """One entry: what begins the line, and the value on it or below."""
    line = f"{start} {_flow(value)}"
    is_whole = not value or not isinstance(value, (dict, list)) or _has_long_key(value)
    if is_whole or (blocks < 1 and len(line) <= _WIDTH):
        yield line
        return
    if isinstance(value, list):
        yield start
        yield from _sequence(value, indent + _STEP, blocks)
    elif start.endswith("-"):
        first, *rest = _mapping(value, indent + _STEP, blocks)
        yield f"{start} {first.lstrip()}"
        yield from rest
    else:
        yield start
        yield from _mapping(value, indent + _STEP, blocks)


def _flow(value: Any) -> str:
    """The value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _EXPONENT.sub(r"\1.0\2", repr(value))  # others read 1e+16 as a text
    return orjson.dumps(value).decode()


def _key(key: str) -> str:
    text = _text(key)
    return f"? {text} " if len(text) > _LONGEST_SIMPLE_KEY else text


def _has_long_key(value: Any) -> bool:
    """Whether it holds a key that must be marked as one, which works on one line only."""
    if isinstance(value, list):
        return any(map(_has_long_key, value))
    return isinstance(value, dict) and any(
        len(_text(key)) > _LONGEST_SIMPLE_KEY or _has_long_key(inner)
        for key, inner in value.items()
    )


def _text(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _OTHERWISE_READ:
        return text
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
