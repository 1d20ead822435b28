"""What the fields of a user may hold (11 §2 to §8)."""

from __future__ import annotations

import re
import zoneinfo
from functools import lru_cache
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

_LONGEST_ADDRESS = 2048
_TEXT = r"^[^\x00-\x1f\x7f]*$"
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")


def is_web_address(text: str) -> bool:
    """Whether this is an absolute http or https address of at most 2048 characters."""
    if len(text) > _LONGEST_ADDRESS or not text.isprintable() or any(c.isspace() for c in text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The IANA names that this machine knows."""
    return frozenset(zoneinfo.available_timezones() | {"UTC"})


def _web_address(value: str) -> str:
    if not is_web_address(value):
        raise ValueError("no http or https address")
    return value


def _time_zone(value: str) -> str:
    if value not in time_zones():
        raise ValueError("no time zone")
    return value


def _language(value: str) -> str:
    if not _TAG.fullmatch(value):
        raise ValueError("no language tag")
    return value


def _slug(value: str) -> str:
    lowered = value.lower()
    if not _SLUG.fullmatch(lowered):
        raise ValueError("no slug")
    return lowered


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=_TEXT)
]
Nickname = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50, pattern=_TEXT)
]
Mobile = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]
Bio = Annotated[
    str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]
WebAddress = Annotated[str, Field(max_length=_LONGEST_ADDRESS), AfterValidator(_web_address)]
Language = Annotated[str, Field(min_length=2, max_length=35), AfterValidator(_language)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_time_zone)]
Slug = Annotated[str, Field(min_length=3, max_length=50), AfterValidator(_slug)]
Step = Annotated[str, Field(max_length=100)]
