"""The time, as something that can be given in."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where services take the time from."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000
