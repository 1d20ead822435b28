"""Structured logs on stderr, with anything that looks like a secret masked."""

from __future__ import annotations

import logging
import re
import sys
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


def configure_logs(form: str, level: str) -> None:
    """`form` is text or json; `level` debug, info, warning or error."""
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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def mask_secrets(logger: Any, name: str, event: EventDict) -> EventDict:
    """Replace keys, tokens and hashes wherever they stand, and values of tell-tale names."""
    for key, value in event.items():
        if key.lower() in _SECRET_NAMES:
            event[key] = "…"
        elif isinstance(value, str):
            event[key] = _SECRETS.sub("…", value)
    return event
