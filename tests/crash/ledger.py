"""What a client sent and what it was promised, and whether a server kept the promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

State = int | None
"""What a record holds, told by the one number that all its fields follow; None is no record."""


@dataclass
class Known:
    """One record: what it was last acknowledged to be, and what was sent since."""

    acknowledged: State = None
    sent: list[State] = field(default_factory=list)

    def allows(self, state: State) -> bool:
        return state == self.acknowledged or state in self.sent


@dataclass
class Ledger:
    """All records of a run, by names that the client chose; `groups` were sent as one batch."""

    records: dict[str, Known] = field(default_factory=dict)
    groups: list[tuple[str, ...]] = field(default_factory=list)
    acknowledged: int = 0
    unanswered: int = 0

    def send(self, state: State, *names: str) -> None:
        """About to ask for this state of the named records."""
        for name in names:
            self.records.setdefault(name, Known()).sent.append(state)
        self.unanswered += 1

    def acknowledge(self, state: State, *names: str) -> None:
        """The whole answer is here: from now on the records must be so."""
        for name in names:
            self.records[name] = Known(state)
        self.unanswered -= 1
        self.acknowledged += 1

    def settle(self, stored: Mapping[str, State]) -> None:
        """What was unanswered is now what it was found to be."""
        for name, known in self.records.items():
            if known.sent:
                self.records[name] = Known(stored.get(name))

    def broken_promises(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """What is missing, wrong, stored by half or out of nowhere among the stored rows."""
        stored: dict[str, State] = {}
        problems: list[str] = []
        for row in rows:
            name = row["name"]
            if name in stored:
                problems.append(f"{name} is stored twice")
            stored[name] = row["n"]
            if (row.get("double"), row.get("text")) != (2 * row["n"], text_of(row["n"])):
                problems.append(f"{name} is stored by half: {dict(row)}")
            if name not in self.records:
                problems.append(f"{name} came out of nowhere")
        for name, known in self.records.items():
            if not known.allows(stored.get(name)):
                problems.append(
                    f"{name} is {stored.get(name)}, acknowledged was {known.acknowledged}, "
                    f"sent since {known.sent}"
                )
        for group in self.groups:
            present = [name in stored for name in group if self.records[name].sent]
            if any(present) and not all(present):
                problems.append(f"half of a batch is stored: {group}")
        self.settle(stored)
        return problems

    def add(self, other: Ledger) -> None:
        """Take over all that another round's ledger knows."""
        self.records.update(other.records)
        self.groups.extend(other.groups)
        self.acknowledged += other.acknowledged
        self.unanswered += other.unanswered


def fields_of(name: str, n: int) -> dict[str, Any]:
    """A record whose fields all follow from its name, `ROUND-…`, and one number."""
    round = name.partition("-")[0]
    return {"name": name, "round": round, "n": n, "double": 2 * n, "text": text_of(n)}


def text_of(n: int) -> str:
    """Long enough that a record does not fit one disk sector."""
    return f"{n} " * 200
