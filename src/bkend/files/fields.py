"""Fields of files that callers set, as pydantic types; the limits of 30 §4."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field

_LARGEST_METADATA = 16 * 1024
_LARGEST_SIDE = 2**31 - 1
_TEXTS = ("category", "description", "alt", "relatedEntityId")


def check_metadata(value: dict[str, Any]) -> dict[str, Any]:
    """The value; ValueError says what is wrong. null stands for "none" everywhere."""
    for name in _TEXTS:
        if not isinstance(value.get(name, ""), str | None):
            raise ValueError(f"{name} is a text")
    tags = value.get("tags")
    if tags is not None and not (
        isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
    ):
        raise ValueError("tags is a list of texts")
    if not isinstance(value.get("custom", {}), dict | None):
        raise ValueError("custom is an object")
    return check_metadata_size(value)


def check_metadata_size(value: dict[str, Any]) -> dict[str, Any]:
    """The value; ValueError when it is over 16 KiB as JSON."""
    try:
        size = len(orjson.dumps(value))
    except (orjson.JSONEncodeError, RecursionError):
        raise ValueError("metadata is a JSON object") from None
    if size > _LARGEST_METADATA:
        raise ValueError("metadata has at most 16 KiB")
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(check_metadata)]
SharedWith = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=100)
]
Side = Annotated[int, Field(ge=1, le=_LARGEST_SIDE)]
