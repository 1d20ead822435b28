"""Text as filters and search compare it (20 §5, §6)."""

from __future__ import annotations

import sys

import pytest

from bkend.store.sqlite.screens import UNLIKELY
from bkend.store.text import InvalidPattern, compile_pattern, fold, found_in


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ABC", "abc"),
        ("É", "e\u0301"),
        ("Straße", "STRASSE"),
        ("ﬁne", "FINE"),
        ("\u212a", "k"),
        ("서울", "\u1109\u1165\u110b\u116e\u11af"),
        ("ΑΣ", "ας"),
    ],
)
def test_case_and_composition_make_no_difference(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_folding_twice_changes_nothing_more() -> None:
    for text in ("ΐ", "\u0345\u0301α", "İ", "ǰ", "ẞ", "\u1e9b\u0323", "각", "a\u0315\u0300"):
        assert fold(fold(text)) == fold(text)


def test_the_characters_that_fold_to_ascii_are_the_known_ones() -> None:
    characters = (chr(code) for code in range(128, sys.maxunicode + 1))
    found = {char for char in characters if any(part.isascii() for part in fold(char))}
    assert found == set(UNLIKELY)


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "found"),
    [
        ("b", "", "abc", True),
        ("B", "", "abc", False),
        ("B", "i", "abc", True),
        ("^b", "", "a\nb", False),
        ("^b", "m", "a\nb", True),
        ("a.b", "", "a\nb", False),
        ("a.b", "s", "a\nb", True),
        ("a b # c", "x", "ab", True),
        ("a b", "", "ab", False),
        ("[]# ]x y", "x", " xy", True),
        ("[[:alpha:] ]\\ z", "x", "  z", True),
        ("\\Qa b\\E c", "x", "a bc", True),
        ("a\\#b", "x", "a#b", True),
        ("한.국", "", "한X국", True),
        ("^.$", "", "😀", True),
        ("\\pL", "", "é", True),
        ("", "", "", True),
        ("k", "i", "\u212a", True),
    ],
)
def test_patterns(pattern: str, flags: str, text: str, found: bool) -> None:
    assert found_in(text, pattern, flags) is found


@pytest.mark.parametrize(
    "pattern",
    [
        *("(a)\\1", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "[", "(", "*", "a{1001}", "\\", "\\C"),
        *("(?P>n)", "(?>a)", "a++", "(?(1)a)", "\ud800"),
    ],
)
@pytest.mark.parametrize("flags", ["", "x", "imsx"])
def test_what_is_malformed_or_may_take_exponential_time_is_refused(
    pattern: str, flags: str
) -> None:
    with pytest.raises(InvalidPattern) as error:
        compile_pattern(pattern, flags)
    assert "re2" not in str(error.value).lower()


def test_a_pattern_that_blows_up_elsewhere_takes_no_time() -> None:
    assert not found_in("a" * 100_000 + "b", "^(a+)+$")
    assert not found_in("a" * 100_000, "(x+x+)+y")
