"""Token buckets, with a clock that moves when it is told to (00 §5)."""

from __future__ import annotations

import pytest

from bkend.http import limits
from bkend.http.limits import Buckets, RateLimit, parse_rate_limit


class Time:
    """Seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", None),
        ("100/200", RateLimit(100, 200)),
        ("5", RateLimit(5, 5)),
        ("1/1", RateLimit(1, 1)),
    ],
)
def test_setting(text: str, expected: RateLimit | None) -> None:
    assert parse_rate_limit(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0/5", "5/0", "-1", "x", "5/x", "1.5", "Off", "5/5/5"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rate_limit(text)


def test_burst_then_nothing(time: Time) -> None:
    buckets = Buckets(RateLimit(2, 4), time)
    assert [buckets.take("k", "a") for _ in range(6)] == [3, 2, 1, 0, -1, -1]


def test_tokens_come_back_with_the_rate(time: Time) -> None:
    buckets = Buckets(RateLimit(2, 4), time)
    for _ in range(4):
        buckets.take("k", "a")
    time.now += 0.4
    assert buckets.take("k", "a") == -1
    time.now += 0.1
    assert buckets.take("k", "a") == 0
    time.now += 1.5
    assert [buckets.take("k", "a") for _ in range(4)] == [2, 1, 0, -1]


def test_bucket_never_overflows(time: Time) -> None:
    buckets = Buckets(RateLimit(2, 4), time)
    buckets.take("k", "a")
    time.now += 1_000_000
    assert buckets.take("k", "a") == 3


def test_refused_calls_cost_nothing(time: Time) -> None:
    buckets = Buckets(RateLimit(1, 1), time)
    buckets.take("k", "a")
    for _ in range(100):
        assert buckets.take("k", "a") == -1
    time.now += 1
    assert buckets.take("k", "a") == 0


def test_wait_is_whole_seconds_and_enough(time: Time) -> None:
    slow = Buckets(RateLimit(1, 3), time)
    for _ in range(3):
        slow.take("k", "a")
    wait = -slow.take("k", "a")
    time.now += wait
    assert slow.take("k", "a") == 0


def test_keys_and_addresses_are_apart(time: Time) -> None:
    buckets = Buckets(RateLimit(1, 1), time)
    for key, address in (("k", "a"), ("k", "b"), ("l", "a"), ("ka", ""), ("", "ka")):
        assert buckets.take(key, address) == 0
    assert buckets.take("k", "a") < 0


def test_memory_is_bounded(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_REMEMBERED", 100)
    buckets = Buckets(RateLimit(1, 10), time)
    for number in range(1000):
        buckets.take("k", str(number))
        assert len(buckets._held) <= 100


def test_forgetting_full_buckets_spares_the_empty_ones(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_REMEMBERED", 10)
    buckets = Buckets(RateLimit(1, 5), time)
    for number in range(9):
        buckets.take("k", f"old{number}")
    time.now += 5
    for _ in range(5):
        buckets.take("k", "busy")
    for number in range(8):
        buckets.take("k", f"new{number}")
    assert buckets.take("k", "busy") < 0
