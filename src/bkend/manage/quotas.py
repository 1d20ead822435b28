"""How much of what a server allows (51 §3.4, §3.5, §3.8); None is no limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from bkend.manage.project_settings import MOST_ORIGINS


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits of a server."""

    projects: int | None = None
    """Of an organization."""
    environments: int | None = None
    """Of a project."""
    origins: int = MOST_ORIGINS
    """In the list of a project."""


InForce: TypeAlias = Callable[[], Awaitable[Quotas]]
"""Tells the limits at this moment: they may be changed while the server runs."""
