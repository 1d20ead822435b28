"""Whether queries were slow for want of an index (00 §8)."""

from __future__ import annotations

from typing import Any

from bkend.doctor.findings import Finding, ok, warning
from bkend.doctor.patient import Patient, every_place
from bkend.slow_queries.notes import Note
from bkend.slow_queries.suggestions import Suggestion, suggestions
from bkend.store.documents import format_time
from bkend.tables.models import index_shape

_ADVICE = (
    "add each line to `indexes` of its table in bkend.yaml, beside those that stand there, and run "
    "`bkend apply`; what an index serves is not named again"
)


async def look(patient: Patient) -> Finding:
    """What serving processes noted of slow lists, and no index serves yet."""
    assert patient.core is not None
    found: list[tuple[str, Suggestion]] = []
    async for place in every_place(patient.core):
        tables = await place.environment.services.tables.list()
        now = patient.clock.now_ms()
        found += [
            (place.name, one) for one in await suggestions(place.environment.store, tables, now)
        ]
    if not found:
        return ok("no list was slow for want of an index")
    found.sort(key=lambda one: -one[1].worst_ms)
    count = "an index that is" if len(found) == 1 else f"{len(found)} indexes that are"
    return warning(
        f"lists were slow for want of {count} not there",
        _ADVICE,
        tuple(_line(name, one) for name, one in found),
        tuple(_item(name, one) for name, one in found),
    )


def _line(place: str, found: Suggestion) -> str:
    queries = "; ".join(str(note.shape) for note in found.notes)
    often = "once" if found.times == 1 else f"{found.times:,} times"
    return (
        f"{place}: {found.table.name} ({queries}) {often}, at worst {found.worst_ms:,} ms, "
        f"last {format_time(found.last_ms)}\n  {found.yaml}"
    )


def _item(place: str, found: Suggestion) -> dict[str, Any]:
    return {
        "place": place,
        "table": found.table.name,
        "queries": [_query(note) for note in found.notes],
        "times": found.times,
        "worstMs": found.worst_ms,
        "lastAt": format_time(found.last_ms),
        "index": index_shape(found.index),
        "yaml": found.yaml,
    }


def _query(note: Note) -> dict[str, Any]:
    seen = {"times": note.times, "worstMs": note.worst_ms, "lastAt": format_time(note.last_ms)}
    return {**note.shape.as_json(), **seen}
