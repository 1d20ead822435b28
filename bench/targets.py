"""What the figures are held against."""

from dataclasses import dataclass

from bench.peers.bare import NAME as BARE
from bench.peers.bkend import Bkend
from bench.peers.pocketbase import PocketBase
from bench.results import Outcome
from bench.workloads import Workload

TIMES_POCKETBASE = {
    Workload.READ: 3.0,
    Workload.NEWEST: 20.0,
    Workload.FILTERED: 15.0,
    Workload.COMPARED: 5.0,
    Workload.SEARCHED: 3.0,
    Workload.CREATE: 2.0,
    Workload.BATCH: 5.0,
}
READ_SHARE_OF_BARE = 0.40
IDLE_MEMORY_MB = 130.0
START_SECONDS = 2.0


@dataclass(frozen=True)
class Verdict:
    """A figure beside its target."""

    title: str
    figure: str
    target: str
    met: bool

    @property
    def mark(self) -> str:
        return "✓" if self.met else "✗"


def verdicts(outcome: Outcome) -> list[Verdict]:
    """Every target whose figures were measured."""
    found = [
        _at_least(f"{workload.value}, times PocketBase", ratio, times)
        for workload, times in TIMES_POCKETBASE.items()
        if (ratio := outcome.ratio(workload, Bkend.name, PocketBase.name)) is not None
    ]
    share = outcome.ratio(Workload.READ, Bkend.name, BARE)
    if share is not None:
        title = "read by id, share of the bare endpoint"
        target = f"≥ {READ_SHARE_OF_BARE:.0%}"
        found.append(Verdict(title, f"{share:.0%}", target, share >= READ_SHARE_OF_BARE))
    if starts := outcome.starts.get(Bkend.name):
        for title, start in (("empty", starts.empty), ("loaded", starts.loaded)):
            found.append(_memory(title, start.memory_mb))
            found.append(_time(title, start.seconds))
    return found


def _at_least(title: str, ratio: float, times: float) -> Verdict:
    return Verdict(title, f"{ratio:.1f}×", f"≥ {times:g}×", ratio >= times)


def _memory(title: str, megabytes: float) -> Verdict:
    figure, target = f"{megabytes:.0f} MB", f"≤ {IDLE_MEMORY_MB:.0f} MB"
    return Verdict(f"idle memory, {title}", figure, target, megabytes <= IDLE_MEMORY_MB)


def _time(title: str, seconds: float) -> Verdict:
    figure, target = f"{seconds:.2f} s", f"≤ {START_SECONDS:g} s"
    return Verdict(f"start to first answer, {title}", figure, target, seconds <= START_SECONDS)
