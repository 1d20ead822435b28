"""Text as filters and search compare it: folded for containment, RE2 for patterns (20 §5, §6).

Every engine and every layer uses these two, so that all agree about every character.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import re2

FLAGS = "imsx"
_QUIET = re2.Options()
_QUIET.log_errors = False
_QUIET.max_mem = 8 << 20
_QUIET.never_capture = True
# Of a pattern: quoted text, an escape, a class; else any character.
_PIECE = r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]?|."
_PIECES = re.compile(_PIECE, re.DOTALL)
_PIECES_OR_COMMENTS = re.compile(rf"#[^\n]*|{_PIECE}", re.DOTALL)


class InvalidPattern(ValueError):
    """A regular expression that is malformed, or not of the linear-time kind."""


def fold(text: str) -> str:
    """The text without differences of case and of composed characters."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def found_in(text: str, pattern: str, flags: str = "") -> bool:
    """Whether the pattern is found anywhere in the text. Raises InvalidPattern."""
    # Given bytes, the library need not count characters.
    return compile_pattern(pattern, flags).search(text.encode()) is not None


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, flags: str = "") -> Any:
    """The compiled expression; `flags` are letters of `imsx`. Use its `search(text)`.

    Raises InvalidPattern; its message says what is wrong and holds nothing but the pattern.
    """
    spelt = _without_blanks(pattern) if "x" in flags else pattern
    if "\\C" in _PIECES.findall(spelt):  # one byte, whatever the character: no part of a text
        raise InvalidPattern("invalid escape sequence: \\C")
    inline = "".join(flag for flag in "ims" if flag in flags)
    try:
        return re2.compile(f"(?{inline}){spelt}" if inline else spelt, _QUIET)
    except re2.error as error:
        reason = error.args[0] if error.args else "malformed"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidPattern(text) from None
    except UnicodeEncodeError:
        raise InvalidPattern("not valid Unicode") from None


def _without_blanks(pattern: str) -> str:
    """The pattern as flag `x` reads it: blanks and comments count only in classes, quoted or
    escaped."""
    return "".join(
        piece
        for piece in _PIECES_OR_COMMENTS.findall(pattern)
        if not (piece.isspace() or piece[0] == "#")
    )
