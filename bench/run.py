"""One run from an empty directory to an outcome."""

import platform
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import apsw
from rich.progress import Progress

from bench import check, machine, startup, wrk
from bench.documents import documents
from bench.peers import bare
from bench.peers.bkend import Bkend
from bench.peers.peer import Peer
from bench.peers.pocketbase import PocketBase
from bench.proc import Elsewhere
from bench.process import Server
from bench.results import Load, Outcome, Plan, Starts
from bench.rounds import Lane, interleaved
from bench.workloads import Traffic, Workload, traffic

PEERS: dict[str, Callable[[], Peer]] = {"bkend": Bkend, "pocketbase": PocketBase}


class Run:
    """Loads the chosen peers, then measures starts and workloads."""

    def __init__(self, plan: Plan, peers: list[str], root: Path, progress: Progress) -> None:
        wrk.require()
        self._plan = plan
        self._peers: list[Peer] = [PEERS[name]() for name in peers]
        self._root = root
        self._progress = progress

    def outcome(self, workloads: list[Workload]) -> Outcome:
        """Measure everything; raises BenchError when a server misbehaves."""
        described = machine.describe(self._root)
        for peer in self._peers:
            self._fill(peer)
        starts = {peer.name: self._starts(peer) for peer in self._peers}
        elsewhere = Elsewhere()
        loads = self._loads(workloads)
        return Outcome(
            date=datetime.now(UTC).date().isoformat(),
            plan=self._plan,
            machine=described,
            versions=self._versions(),
            loads=loads,
            starts=starts,
            busy_elsewhere=round(elsewhere.cores(), 2),
        )

    def _fill(self, peer: Peer) -> None:
        rows = list(documents(self._plan.documents))
        task = self._progress.add_task(f"{peer.name}: load documents", total=len(rows))
        directory = self._data(peer)
        peer.prepare(directory)
        with peer.start(directory) as server:
            peer.fill(server, rows, lambda more: self._progress.advance(task, more))

    def _starts(self, peer: Peer) -> Starts:
        task = self._progress.add_task(f"{peer.name}: start", total=2 * self._plan.starts)
        return startup.measure(
            peer,
            self._data(peer),
            self._root / "empty",
            times=self._plan.starts,
            tick=lambda: self._progress.advance(task),
        )

    def _loads(self, workloads: list[Workload]) -> dict[Workload, dict[str, Load]]:
        with ExitStack() as stack:
            running = [(peer, stack.enter_context(self._start(peer))) for peer in self._peers]
            check.same_answers(running)
            ceiling = stack.enter_context(bare.start(self._root / "bare"))
            return {one: self._load(one, running, ceiling) for one in workloads}

    def _load(
        self, workload: Workload, running: list[tuple[Peer, Server]], ceiling: Server
    ) -> dict[str, Load]:
        lanes = {
            peer.name: self._lane(peer.name, workload, server, traffic(workload, peer.addresses()))
            for peer, server in running
        }
        if workload is Workload.READ:
            lanes[bare.NAME] = self._lane(bare.NAME, workload, ceiling, bare.traffic())
        steps = len(lanes) * (self._plan.rounds + 1)
        task = self._progress.add_task(workload.value, total=steps)
        return interleaved(
            lanes,
            rounds=self._plan.rounds,
            seconds=self._plan.seconds,
            tick=lambda: self._progress.advance(task),
        )

    def _lane(self, name: str, workload: Workload, server: Server, sent: Traffic) -> Lane:
        return Lane(server, wrk.Driver(sent, self._root / "wrk" / f"{name}-{workload.key}"))

    def _start(self, peer: Peer) -> Server:
        return peer.start(self._data(peer))

    def _data(self, peer: Peer) -> Path:
        return self._root / peer.name

    def _versions(self) -> dict[str, str]:
        own = {peer.name: peer.version() for peer in self._peers}
        return own | {
            "Python": platform.python_version(),
            "SQLite (bkend)": apsw.sqlite_lib_version(),
            "granian": version("granian"),
            "wrk": wrk.version(),
        }
