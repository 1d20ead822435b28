"""Rate limit of `/v1`: one token bucket per key and client address (00 §5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`rate` requests a second on average, `burst` at once."""

    rate: int
    burst: int


def parse_rate_limit(text: str) -> RateLimit | None:
    """`off` or `rate/burst`; raises ValueError."""
    if text == "off":
        return None
    rate, _, burst = text.partition("/")
    limit = RateLimit(int(rate), int(burst or rate))
    if limit.rate < 1 or limit.burst < 1:
        raise ValueError("rate and burst are at least 1")
    return limit


class Buckets:
    """Token buckets in this process; full ones are forgotten when there are many."""

    def __init__(self, limit: RateLimit, now: Callable[[], float] = monotonic) -> None:
        self.limit = limit
        self._now = now
        self._held: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, key: str, address: str) -> int:
        """Take one token: how many remain, or minus the seconds to wait when there is none."""
        now = self._now()
        bucket = (key, address)
        held = self._held.get(bucket)
        if held is None:
            if len(self._held) >= _REMEMBERED:
                self._forget(now)
            tokens = float(self.limit.burst)
        else:
            tokens = min(self.limit.burst, held[0] + (now - held[1]) * self.limit.rate)
        if tokens < 1:
            self._held[bucket] = (tokens, now)
            return -max(1, math.ceil((1 - tokens) / self.limit.rate))
        self._held[bucket] = (tokens - 1, now)
        return int(tokens - 1)

    def _forget(self, now: float) -> None:
        """Drop the buckets that are full again; if none is, the oldest half."""
        full = self.limit.burst / self.limit.rate
        self._held = {k: held for k, held in self._held.items() if now - held[1] < full}
        if len(self._held) >= _REMEMBERED:
            self._held = dict(list(self._held.items())[_REMEMBERED // 2 :])
