"""What a run found: plain data, ready for the reports."""

from dataclasses import dataclass
from statistics import median

from bench.machine import Machine
from bench.workloads import Workload
from bench.wrk import Round


@dataclass(frozen=True)
class Plan:
    """The size of a run."""

    documents: int
    rounds: int
    seconds: int
    starts: int


FULL = Plan(documents=100_000, rounds=7, seconds=4, starts=5)
QUICK = Plan(documents=10_000, rounds=2, seconds=1, starts=3)


@dataclass(frozen=True)
class Load:
    """One server under one workload; memory is the largest seen after a round, in MB."""

    rounds: tuple[Round, ...]
    memory_mb: float

    @property
    def requests_per_second(self) -> float:
        return median(one.requests_per_second for one in self.rounds)

    @property
    def slowest_and_fastest(self) -> tuple[float, float]:
        speeds = [one.requests_per_second for one in self.rounds]
        return min(speeds), max(speeds)

    @property
    def p99_ms(self) -> float:
        return median(one.p99_ms for one in self.rounds)


@dataclass(frozen=True)
class Start:
    """Starts of one server: seconds from spawn to the first answer (median), MB at rest."""

    seconds: float
    memory_mb: float


@dataclass(frozen=True)
class Starts:
    """A server started on an empty directory and on the loaded one."""

    empty: Start
    loaded: Start


@dataclass(frozen=True)
class Outcome:
    """Everything a run measured, by workload and by server name.

    `busy_elsewhere` is how many cores other programs used on average during the rounds.
    """

    date: str
    plan: Plan
    machine: Machine
    versions: dict[str, str]
    loads: dict[Workload, dict[str, Load]]
    starts: dict[str, Starts]
    busy_elsewhere: float

    def ratio(self, workload: Workload, name: str, other: str) -> float | None:
        """Requests per second of one server over another's; None if either was not measured."""
        loads = self.loads.get(workload, {})
        if name not in loads or other not in loads:
            return None
        return loads[name].requests_per_second / loads[other].requests_per_second
