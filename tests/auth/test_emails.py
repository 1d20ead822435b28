from __future__ import annotations

import pytest

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada@Example.COM\n", "ada@example.com"),
        ("ada.lovelace+tag@mail.example.co.uk", "ada.lovelace+tag@mail.example.co.uk"),
        ("o'brien_1@example.com", "o'brien_1@example.com"),
        ("김철수@예시.한국", "김철수@예시.한국"),
        ("e\u0301lise@example.com", "\u00e9lise@example.com"),
        (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com"),
    ],
)
def test_address_has_one_normal_form(given: str, normal: str) -> None:
    assert normalise_email(given) == normal


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "ada@b@example.com",
        "ada example@example.com",
        "ada@exam ple.com",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@example..com",
        "ada@.example.com",
        "ada@exa_mple.com",
        "<ada@example.com>",
        "ada@example.com,eve@example.com",
        "ada@example.com\nBcc: eve@example.com",
        "ada\x00@example.com",
        "ada@[127.0.0.1]",
        '"a da"@example.com',
        f"{'a' * 65}@example.com",
        f"ada@{'b' * 64}.com",
        f"ada@{'b.' * 130}com",
        "\ud800@example.com",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidEmail):
        normalise_email(given)


def test_254_characters_are_the_longest_address() -> None:
    domain = ".".join(["b" * 60] * 3)
    longest = f"{'a' * 64}@{domain}.{'c' * (254 - 64 - 1 - len(domain) - 1)}"
    assert len(normalise_email(longest)) == 254
    with pytest.raises(InvalidEmail):
        normalise_email(longest + "c")
