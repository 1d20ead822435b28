"""Structured logs on stderr, with anything that looks like a secret masked."""

from __future__ import annotations

import logging
import re
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

import structlog
from structlog.typing import EventDict

_SECRETS = re.compile(
    r"\b(pk|sk|bt)_[0-9a-f]{6,}|\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
    r"|\$argon2[a-z]*\$[^\s'\"]+|(?i:\bbearer\s+\S+)"
)
_SECRET_NAMES = frozenset(
    {"password", "token", "authorization", "refreshtoken", "accesstoken", "secret", "key", "cookie"}
)


LEVELS = ("debug", "info", "warning", "error", "critical")
"""From the least to the most urgent."""
_MOST_KEPT = 1000
_LONGEST_TEXT = 8192
_NAMED = frozenset({"event", "level", "timestamp", "request_id"})


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the log, as it was printed: masked."""

    time: str
    level: str
    event: str
    request_id: str | None
    fields: dict[str, Any]
    """What else was said: texts, numbers, true or false, null."""


class RecentLogs:
    """The last lines of this process: a processor of structlog that keeps what passes through.

    It stands behind `mask_secrets`, and keeps nothing that was not masked.
    """

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=most)

    def __call__(self, logger: Any, name: str, event: EventDict) -> EventDict:
        """Keep a line and hand it on."""
        self._entries.append(
            LogEntry(
                time=_to_the_millisecond(str(event.get("timestamp", ""))),
                level=str(event.get("level", "info")),
                event=_plain(event.get("event", "")),
                request_id=event.get("request_id"),
                fields={key: _plain(value) for key, value in event.items() if key not in _NAMED},
            )
        )
        return event

    def newest(self, level: str = LEVELS[0], request_id: str | None = None) -> list[LogEntry]:
        """The lines of at least this level, the newest first; with a request's id, its own."""
        wanted = LEVELS[LEVELS.index(level) :]
        return [
            entry
            for entry in reversed(self._entries.copy())
            if entry.level in wanted and request_id in (None, entry.request_id)
        ]


def _to_the_millisecond(stamp: str) -> str:
    """The time in the form of the API (00 §3)."""
    second, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{second}.{fraction[:3]:0<3}Z"


def _plain(value: Any) -> Any:
    """The value as JSON can tell it, no longer than is useful."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else _SECRETS.sub("…", str(value))
    return text[:_LONGEST_TEXT]


def configure_logs(form: str, level: str) -> RecentLogs:
    """`form` is text or json; `level` debug, info, warning or error. What is logged from now on
    can be read again from the answer."""
    recent = RecentLogs()
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_secrets,
            recent,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    return recent


def mask_secrets(logger: Any, name: str, event: EventDict) -> EventDict:
    """Replace keys, tokens and hashes wherever they stand, and values of tell-tale names."""
    for key, value in event.items():
        if key.lower() in _SECRET_NAMES:
            event[key] = "…"
        elif isinstance(value, str):
            event[key] = _SECRETS.sub("…", value)
    return event
