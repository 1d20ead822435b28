"""Addresses in mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bkend.auth.links.addresses import server_address, with_query
from bkend.settings import Settings


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", "https://a.example?token=x"),
        ("https://a.example/?", "https://a.example/?token=x"),
        ("https://a.example/?a=1", "https://a.example/?a=1&token=x"),
        ("https://a.example/?a=1&&b=%26", "https://a.example/?a=1&b=%26&token=x"),
        ("https://a.example/?token=evil&a=1", "https://a.example/?a=1&token=x"),
        ("https://a.example/?t%6fken=evil", "https://a.example/?token=x"),
        ("https://a.example/#/in?a=1", "https://a.example/?token=x#/in?a=1"),
        ("myapp://in", "myapp://in?token=x"),
    ],
)
def test_values_are_appended(url: str, expected: str) -> None:
    assert with_query(url, token="x") == expected


def test_values_are_encoded() -> None:
    assert with_query("https://a.example", email="a+b&c@d.example") == (
        "https://a.example?email=a%2Bb%26c%40d.example"
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "0.0.0.0", "port": 9}, "http://127.0.0.1:9"),
        ({"host": "::1"}, "http://[::1]:8000"),
        ({"public_url": "https://api.example/"}, "https://api.example"),
    ],
)
def test_the_server_is_named_by_its_settings(
    tmp_path: Path, settings: dict[str, Any], expected: str
) -> None:
    assert server_address(Settings(data=tmp_path, **settings)) == expected
