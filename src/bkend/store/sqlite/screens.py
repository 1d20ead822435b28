"""Cheap tests of a whole stored document that stand before exact ones in Python.

A screen lets through every document that can satisfy the exact test, and most often few others.
Stored documents are compact JSON whose texts are escaped character by character, so whatever a
text holds, the document holds in its escaped form.

Folding (`bkend.store.text`) complicates this: it makes ASCII letters of some other characters,
and one Hangul syllable of several jamo. A screen names exactly those characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

from bkend.store.text import fold

Bind: TypeAlias = Callable[[Any], str]

UNLIKELY = "ßİŉſ\u037eẚẞ\u1fef\u212aﬀﬁﬂﬃﬄﬅﬆ"
"""Every character beyond ASCII that folds to something with ASCII in it; a test counts them."""

_LONGEST_PIECE = 64
_ASCII_PIECE = re.compile(r"[\x00-\x7f]+")
_HANGUL_PIECE = re.compile(r"[\uac00-\ud7a3]+")
_BEYOND_ASCII = "octet_length(doc)<>length(doc)"
# Every jamo starts with this byte, and no Hangul syllable nor ideograph does.
_JAMO = "instr(doc,CAST(x'E1' AS TEXT))"
_LIKE_SPECIAL = re.compile(r"[!%_]")
# A pattern of these only: its plain pieces stand in every text that it matches.
_SIMPLE = re.compile(r"(?:[^\\^$.|?*+()\[\]{}\ud800-\udfff]|[\^$]|\.[*+]?)*\Z")
_BETWEEN = re.compile(r"[\^$]|\.[*+]?")


def folded_screen(wanted: str, bind: Bind) -> str:
    """The SQL test of documents that may hold a text whose folded form holds `wanted`."""
    if wanted.isascii():
        return _ascii_screen(wanted, bind)
    ascii_piece, hangul = _longest(_ASCII_PIECE, wanted), _longest(_HANGUL_PIECE, wanted)
    if hangul and 3 * len(hangul) >= len(ascii_piece):
        return f"(instr(doc,{bind(hangul)}) OR {_JAMO})"
    if len(ascii_piece) > 1:
        return _ascii_screen(ascii_piece, bind)
    return _BEYOND_ASCII


def pattern_screen(pattern: str, flags: str, bind: Bind) -> str:
    """The SQL test of documents that may hold a text which matches the pattern."""
    if "x" in flags or not _SIMPLE.match(pattern):
        return "1"
    pieces = _BETWEEN.split(pattern)
    if "i" in flags:
        return _ascii_screen(max((_longest(_ASCII_PIECE, p) for p in pieces), key=len), bind)
    return verbatim_screen(max(pieces, key=len), bind)


def verbatim_screen(text: str, bind: Bind) -> str:
    """The SQL test of documents that may hold just this text within a text."""
    piece = text[:_LONGEST_PIECE]
    if not piece:
        return "1"
    return _like(piece, bind) if piece.isascii() else f"instr(doc,{bind(_escaped(piece))})"


def _ascii_screen(wanted: str, bind: Bind) -> str:
    piece = wanted[:_LONGEST_PIECE]
    if not piece:
        return "1"
    tests = [_like(piece, bind)]
    folding = [char for char in UNLIKELY if _may_stand_in(fold(char), piece.lower())]
    if folding:
        found = " OR ".join(f"instr(doc,{bind(char)})" for char in folding)
        tests.append(f"({_BEYOND_ASCII} AND ({found}))")
    return f"({' OR '.join(tests)})"


def _like(piece: str, bind: Bind) -> str:
    """LIKE knows no case of ASCII letters, and finds a piece faster than `instr` does."""
    pattern = "%" + _LIKE_SPECIAL.sub(r"!\g<0>", _escaped(piece)) + "%"
    return f"doc LIKE {bind(pattern)} ESCAPE '!'"


def _may_stand_in(part: str, wanted: str) -> bool:
    """Whether a text that holds `part` may hold `wanted` with some of that part in it."""
    if part in wanted or wanted in part:
        return True
    return any(
        wanted.startswith(part[-size:]) or wanted.endswith(part[:size])
        for size in range(1, len(part))
    )


def _escaped(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _longest(pieces: re.Pattern[str], text: str) -> str:
    return max(pieces.findall(text), key=len, default="")[:_LONGEST_PIECE]
