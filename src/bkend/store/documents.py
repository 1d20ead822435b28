"""Documents as they are stored and sent: one compact JSON object, `id` first, system times last.

The stored bytes are the wire bytes (20 §1, §2), so a read forwards them without parsing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from bkend.store.errors import DocumentTooLarge

SYSTEM_FIELDS = frozenset({"id", "createdBy", "createdAt", "updatedAt"})

LARGEST_DOCUMENT = 16 * 1024 * 1024
_INTEGER_LIMIT = 2**63
_EXPONENT = b"e+"
"""How orjson marks the exponent of a large number; in a text it costs no more than a look."""


def format_time(milliseconds: int) -> str:
    """Milliseconds since 1970 as `2025-01-15T10:30:00.000Z` (00 §3)."""
    seconds, millis = divmod(milliseconds, 1000)
    return f"{_to_the_second(seconds)}.{millis:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def parse_time(text: str) -> int:
    """The inverse of `format_time`; raises ValueError on anything that is not ISO 8601."""
    stamp = datetime.fromisoformat(text)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    delta = stamp - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wire_number(value: float) -> int | float:
    """A float as it goes over the wire: integral values carry no fraction (00 §3).

    Integral values beyond 64 bits stay floats here and are spelt out by `encode`.
    """
    if value.is_integer() and -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return int(value)
    return value


class _Digits:
    """Writes huge integral floats as digits instead of with an exponent: `1e308` grows sixtyfold,
    so it stops where the digits alone outgrow a document."""

    def __init__(self) -> None:
        self._left = LARGEST_DOCUMENT

    def spell_out(self, value: Any) -> Any:
        """The value with such numbers replaced; raises DocumentTooLarge."""
        if isinstance(value, float) and value.is_integer():
            digits = str(int(value))
            self._left -= len(digits)
            if self._left < 0:
                raise DocumentTooLarge
            return orjson.Fragment(digits)
        if isinstance(value, dict):
            return {key: self.spell_out(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.spell_out(item) for item in value]
        return value


def encode(
    id: str, fields: dict[str, Any], created_by: str, created_at: int, updated_at: int
) -> bytes:
    """The stored form of a document; `fields` must hold no system field. Times in ms.

    Raises DocumentTooLarge (20 §10).
    """
    created = format_time(created_at)
    document = {"id": id}
    document.update(fields)
    document["createdBy"] = created_by
    document["createdAt"] = created
    document["updatedAt"] = created if updated_at == created_at else format_time(updated_at)
    body = wire_json(document)
    if len(body) > LARGEST_DOCUMENT:
        raise DocumentTooLarge
    return body


def wire_json(value: Any) -> bytes:
    """A document in wire form: compact, integral numbers without exponent."""
    body = orjson.dumps(value)
    return orjson.dumps(_Digits().spell_out(value)) if _EXPONENT in body else body


def decode(body: bytes | str) -> dict[str, Any]:
    """A stored document as a dictionary, system fields included."""
    document: dict[str, Any] = orjson.loads(body)
    return document
