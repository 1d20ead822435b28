"""Identifiers: record ids, project ids, prefixed UUIDs (20 §1, 51 §1)."""

from __future__ import annotations

import os
import secrets
import uuid

_PROJECT_ALPHABET = "0123456789abcdefghijklmnopqrstuv"


class RecordIds:
    """24 hex digits: 4 bytes of seconds, 5 random bytes of this process, a 3-byte counter.

    Lexical order is creation order, also within one process and second. When the counter wraps
    inside a second, the next second is borrowed, so that the order holds.
    """

    def __init__(self) -> None:
        self._process = os.urandom(5).hex()
        self._second = 0
        self._counter = 0

    def next(self, now_ms: int) -> str:
        """A new id, greater than every id this object gave before."""
        second = now_ms // 1000
        if second > self._second:
            self._second = second
            self._counter = secrets.randbelow(1 << 20)
        else:
            self._counter += 1
            if self._counter >= 1 << 24:
                self._second += 1
                self._counter = 0
        return f"{self._second:08x}{self._process}{self._counter:06x}"


class OrderedIds:
    """UUIDv7 in text form: they sort by their time, those of one millisecond in the order in which
    this object gave them."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now_ms: int) -> str:
        """A new id, greater than every id this object gave before."""
        fresh = (now_ms & (1 << 48) - 1) << 74 | secrets.randbits(73)
        self._last = max(fresh, self._last + 1)
        time, high, low = self._last >> 74, self._last >> 62 & 0xFFF, self._last & (1 << 62) - 1
        return str(uuid.UUID(int=time << 80 | 7 << 76 | high << 64 | 2 << 62 | low))


def uuid4() -> str:
    """A random UUID in text form."""
    return str(uuid.uuid4())


def prefixed(prefix: str) -> str:
    """`org_`, `env_`, `tbl_`, `tok_` … and a random UUID."""
    return f"{prefix}_{uuid.uuid4()}"


def project_id() -> str:
    """20 characters of `[0-9a-v]`."""
    return "".join(secrets.choice(_PROJECT_ALPHABET) for _ in range(20))
