"""YAML with line numbers, and only what JSON can hold: no aliases, tags or repeated keys.

Plain words are read as YAML 1.2 and JSON do: `yes`, `no` and `on` are text, `2024-01-01` is text,
only `true` and `false` are booleans. Keys are always text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MOST_BYTES = 1 << 20
_DEEPEST = 40
_INTEGERS = range(-(2**63), 2**64)
"""Those that JSON readers keep exact."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is 20 times faster

_NULL = re.compile(r"(?:~|null|Null|NULL)?\Z")
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


class SourceProblem(Exception):
    """The text is not YAML that can be read; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Node:
    """A value and the line it starts on (of a mapping's value: the line of its key)."""

    line: int
    scalar: Any = None
    entries: dict[str, Node] | None = None
    items: list[Node] | None = None
    _key: tuple[str, int] | None = field(default=None, repr=False)

    def plain(self) -> Any:
        """The value without lines, as JSON would hold it."""
        if self.entries is not None:
            return {name: node.plain() for name, node in self.entries.items()}
        if self.items is not None:
            return [node.plain() for node in self.items]
        return self.scalar

    def child(self, name: str) -> Node | None:
        """The value of a key, None when there is none."""
        return (self.entries or {}).get(name)

    def put(self, node: Node) -> None:
        """Add a value: to a list, or under the key put before it."""
        if self.items is not None:
            self.items.append(node)
        elif self._key is not None:
            assert self.entries is not None
            name, node.line = self._key
            self.entries[name] = node
            self._key = None

    @property
    def awaits_key(self) -> bool:
        """Whether what comes next is a key of this mapping."""
        return self.entries is not None and self._key is None

    def put_key(self, name: str, line: int) -> None:
        """Remember the key of the value that comes next. Raises SourceProblem when repeated."""
        assert self.entries is not None
        if name in self.entries:
            first = self.entries[name].line
            raise SourceProblem(line, f"{name!r} stands twice, first on line {first}")
        self._key = (name, line)


def read_source(text: bytes) -> Node:
    """The document as nodes. Raises SourceProblem on anything but one plain document."""
    if len(text) > MOST_BYTES:
        raise SourceProblem(1, "the file is larger than 1 MiB")
    try:
        return _read(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise SourceProblem(line, "the file is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line, text.rstrip().count(b"\n")) + 1 if mark else 1
        raise SourceProblem(line, f"not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SourceProblem(1, f"not valid YAML: {' '.join(str(error).split())}") from None


def _read(text: str) -> Node:
    root = Node(1, items=[])
    open_nodes = [root]
    documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise SourceProblem(line, "only one document; remove what begins at ---")
        elif isinstance(event, yaml.AliasEvent):
            raise SourceProblem(line, "aliases (*name) are not supported; write the value out")
        elif isinstance(event, yaml.NodeEvent):
            _start(event, line, open_nodes)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            open_nodes.pop()
    assert root.items is not None
    return root.items[0] if root.items else Node(1)


def _start(event: Any, line: int, open_nodes: list[Node]) -> None:
    if event.anchor is not None:
        raise SourceProblem(line, "anchors (&name) are not supported; write the value out")
    if event.tag is not None:
        raise SourceProblem(line, "tags (!name) are not supported; put text in quotes instead")
    parent = open_nodes[-1]
    if isinstance(event, yaml.ScalarEvent):
        if parent.awaits_key:
            parent.put_key(event.value, line)
        else:
            plain = event.implicit[0]
            parent.put(Node(line, _plain(event.value, line) if plain else _text(event.value, line)))
        return
    if parent.awaits_key:
        raise SourceProblem(line, "a key is a word, not a list or mapping")
    if len(open_nodes) > _DEEPEST:
        raise SourceProblem(line, f"nested deeper than {_DEEPEST} levels")
    if isinstance(event, yaml.MappingStartEvent):
        node = Node(line, entries={})
    else:
        node = Node(line, items=[])
    parent.put(node)
    open_nodes.append(node)


def _plain(text: str, line: int) -> Any:
    """A word without quotes: null, a boolean, a number, else text."""
    if _NULL.match(text):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.match(text) and len(text) <= 20:
        number = int(text)
        return number if number in _INTEGERS else float(number)
    if _BASED.match(text) and len(text) <= 18:
        return int(text, 0)
    if _FLOAT.match(text):
        value = float(text)
        if not math.isfinite(value):
            raise SourceProblem(line, f"{text[:40]} is too large a number")
        return value
    return _text(text, line)


def _text(text: str, line: int) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SourceProblem(line, "half of a surrogate pair is no text") from None
    return text
