"""Field paths as clients write them (20 §5, §10)."""

from __future__ import annotations

from bkend.query.errors import invalid_parameter
from bkend.store.conditions import Path

MOST_SEGMENTS = 10
LONGEST_PATH = 256


def parse_path(parameter: str, text: str) -> Path:
    """A dotted path; `_id` means `id`. Raises InvalidData on a malformed one."""
    segments = tuple(text.split("."))
    if len(text) > LONGEST_PATH or len(segments) > MOST_SEGMENTS:
        message = f"a path has at most {MOST_SEGMENTS} parts and {LONGEST_PATH} characters"
        raise invalid_parameter(parameter, "path", message)
    if "\0" in text or not all(segment and segment[0] != "$" for segment in segments):
        raise invalid_parameter(parameter, "path", f"{text!r} is not a field path")
    return ("id",) if segments == ("_id",) else segments
