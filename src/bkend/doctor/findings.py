"""What checks find, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Outcome: TypeAlias = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: a sentence, what to do, and the single things that it is about, as
    lines for people and, where a program can do something with them, as JSON."""

    outcome: Outcome
    message: str
    advice: str = ""
    details: tuple[str, ...] = ()
    items: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A finding under the name of its check."""

    name: str
    finding: Finding

    @property
    def outcome(self) -> Outcome:
        """How it went."""
        return self.finding.outcome

    def as_json(self) -> dict[str, Any]:
        """`{name, result, message, advice, details, items}`."""
        found = self.finding
        return {
            "name": self.name,
            "result": found.outcome,
            "message": found.message,
            "advice": found.advice,
            "details": list(found.details),
            "items": list(found.items),
        }


def ok(message: str) -> Finding:
    """All is well."""
    return Finding("ok", message)


def warning(
    message: str,
    advice: str,
    details: tuple[str, ...] = (),
    items: tuple[dict[str, Any], ...] = (),
) -> Finding:
    """It works, and somebody should know."""
    return Finding("warning", message, advice, details, items)


def problem(message: str, advice: str, details: tuple[str, ...] = ()) -> Finding:
    """It does not work, or will not for long."""
    return Finding("problem", message, advice, details)
