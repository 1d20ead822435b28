"""The outcome as tables: once for the terminal, once for a Markdown file."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.peers.bkend import Bkend
from bench.peers.pocketbase import PocketBase
from bench.results import FULL, Load, Outcome
from bench.targets import verdicts
from bench.wrk import CONNECTIONS

BUSY_SHARE = 0.1  # of the cores; above it a report says so
NOTES = (
    "Both servers hold the same documents on the same disk, run at the same time and are driven "
    "in turns; a figure is the median over the rounds, with the slowest and the fastest round.",
    "Both have an index for the newest-first list and one for the filtered list. PocketBase runs "
    "with its logs off, bkend with its request limit off; everything else is as shipped.",
    "A create of bkend is answered after the disk has confirmed it (`synchronous=FULL`, many "
    "requests to a commit). PocketBase runs SQLite with `synchronous=NORMAL`: what it answered "
    "last can be lost when power fails.",
    "bkend keeps the exact total of a condition until the table changes. The list workloads read "
    "unchanged data; the mixed workload shows lists while creates keep changing it.",
    "bkend keeps records that were read lately in memory, by default 64 MB of them. The reads ask "
    "for a random one of all documents: early rounds find few of them there, later ones most.",
    "A read of PocketBase carries two more fields (collection id and name).",
    "Memory is the resident set of a server's processes; under load the largest after a round. "
    "Servers are not restarted between workloads, so what one left behind shows in the next.",
)


@dataclass(frozen=True)
class Sheet:
    """A table before it is drawn."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def sheets(outcome: Outcome) -> list[Sheet]:
    """The tables of a report that have rows, in reading order."""
    tables = [_loads(outcome), _starts(outcome), _verdicts(outcome)]
    return [table for table in tables if table.rows]


def warnings(outcome: Outcome) -> list[str]:
    """What makes the figures doubtful."""
    found = []
    cores = outcome.machine.cores
    if outcome.busy_elsewhere > BUSY_SHARE * cores:
        found.append(
            f"Other programs used {outcome.busy_elsewhere:.1f} of {cores} cores during the "
            "rounds: the absolute figures are too low, and the ratios uncertain."
        )
    if outcome.plan.documents < FULL.documents:
        found.append(f"The targets are set for {FULL.documents:,} documents.")
    return found


def show(outcome: Outcome, console: Console) -> None:
    """Print the tables."""
    for sheet in sheets(outcome):
        table = Table(title=sheet.title, title_justify="left")
        for number, name in enumerate(sheet.head):
            first = number == 0
            table.add_column(name, justify="left" if first else "right", no_wrap=not first)
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    for warning in warnings(outcome):
        console.print(warning, style="yellow")


def markdown(outcome: Outcome) -> str:
    """The report file."""
    machine, plan = outcome.machine, outcome.plan
    versions = ", ".join(f"{name} {value}" for name, value in outcome.versions.items())
    parts = [
        f"# Measured on {outcome.date}",
        f"{plan.documents:,} documents, {CONNECTIONS} connections, {plan.rounds} rounds of "
        f"{plan.seconds} s for each server.",
        f"Machine: {machine.cpu}, {machine.cores} cores, {machine.memory_gb} GB, "
        f"{machine.kernel}, {machine.filesystem}, fsync of 4 KiB {machine.fsync_ms} ms; "
        f"{outcome.busy_elsewhere:.1f} cores busy elsewhere during the rounds.",
        f"Versions: {versions}.",
        *(f"**{warning}**" for warning in warnings(outcome)),
        *(_markdown(sheet) for sheet in sheets(outcome)),
        "## How to read this",
        "\n".join(f"- {note}" for note in NOTES),
    ]
    return "\n\n".join(parts) + "\n"


def _loads(outcome: Outcome) -> Sheet:
    rows = []
    for workload, loads in outcome.loads.items():
        ratio = outcome.ratio(workload, Bkend.name, PocketBase.name)
        for number, (name, load) in enumerate(loads.items()):
            title = workload.value if number == 0 else ""
            times = f"{ratio:.1f}×" if ratio is not None and name == Bkend.name else ""
            rows.append((title, name, *_cells(load), times))
    head = ("workload", "server", "requests/s", "(range)", "p99 ms", "memory MB", "ratio")
    return Sheet("Under load", head, rows)


def _cells(load: Load) -> tuple[str, ...]:
    slowest, fastest = load.slowest_and_fastest
    return (
        f"{load.requests_per_second:,.0f}",
        f"{slowest:,.0f}–{fastest:,.0f}",
        f"{load.p99_ms:,.1f}",
        f"{load.memory_mb:,.0f}",
    )


def _starts(outcome: Outcome) -> Sheet:
    rows = [
        (name, data, f"{start.seconds:.2f}", f"{start.memory_mb:.0f}")
        for name, starts in outcome.starts.items()
        for data, start in (("empty directory", starts.empty), ("loaded", starts.loaded))
    ]
    return Sheet("At rest", ("server", "data", "start to first answer s", "memory MB"), rows)


def _verdicts(outcome: Outcome) -> Sheet:
    rows = [(one.title, one.figure, one.target, one.mark) for one in verdicts(outcome)]
    return Sheet("Targets", ("figure of bkend", "measured", "target", "met"), rows)


def _markdown(sheet: Sheet) -> str:
    rule = ["---", *["---:"] * (len(sheet.head) - 1)]
    lines = [f"| {' | '.join(row)} |" for row in (sheet.head, rule, *sheet.rows)]
    return f"## {sheet.title}\n\n" + "\n".join(lines)
