"""The stored form of a document, which is also what goes over the wire (20 §1, §2)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkend.store.documents import decode, encode, format_time, parse_time, wire_number

LEAST, MOST = -62_135_596_800_000, 253_402_300_799_999


def test_a_document_starts_with_its_id_and_ends_with_its_times() -> None:
    body = encode("a1", {"title": "좋은 글", "n": 5, "tags": ["x"], "none": None}, "u1", 0, 1)
    assert body.decode() == (
        '{"id":"a1","title":"좋은 글","n":5,"tags":["x"],"none":null,"createdBy":"u1",'
        '"createdAt":"1970-01-01T00:00:00.000Z","updatedAt":"1970-01-01T00:00:00.001Z"}'
    )


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1e22, "10000000000000000000000"),
        (-1e22, "-10000000000000000000000"),
        (2.0**63, "9223372036854775808"),
        (1.5, "1.5"),
        (1e-7, "1e-7"),
        (2**64 - 1, "18446744073709551615"),
    ],
)
def test_integral_numbers_are_written_without_exponent(number: float, written: str) -> None:
    body = encode("a", {"n": number, "deep": [{"n": [number]}], "text": "1e5"}, "", 0, 0)
    assert f'"n":{written},"deep":[{{"n":[{written}]}}],"text":"1e5"' in body.decode()
    again = decode(body)
    fields = {name: again[name] for name in ("n", "deep", "text")}
    assert encode("a", fields, "", 0, 0) == body


@pytest.mark.parametrize(
    ("number", "wired"), [(5.0, 5), (-0.0, 0), (5.5, 5.5), (2.0**62, 2**62), (2.0**63, 2.0**63)]
)
def test_integral_floats_go_out_as_integers(number: float, wired: float) -> None:
    assert wire_number(number) == wired
    assert type(wire_number(number)) is type(wired)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_736_937_000_007, "2025-01-15T10:30:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (LEAST, "0001-01-01T00:00:00.000Z"),
        (MOST, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_have_three_digits_and_four_digit_years(milliseconds: int, text: str) -> None:
    assert format_time(milliseconds) == text
    assert parse_time(text) == milliseconds


@settings(derandomize=True, deadline=None)
@given(st.integers(LEAST, MOST), st.integers(LEAST, MOST))
def test_times_sort_as_their_texts_do(one: int, other: int) -> None:
    assert parse_time(format_time(one)) == one
    assert (one < other) == (format_time(one) < format_time(other))


def test_times_are_read_with_and_without_offset() -> None:
    noon = int(datetime(2025, 1, 15, 12, tzinfo=UTC).timestamp() * 1000)
    for text in ("2025-01-15T12:00:00Z", "2025-01-15T12:00", "2025-01-15T21:00:00.000+09:00"):
        assert parse_time(text) == noon
    assert parse_time("2025-01-15") == noon - 12 * 3_600_000


@pytest.mark.parametrize("text", ["", "soon", "2025-13-01", "2025-01-15T25:00:00Z", "1736937000"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)
