"""How long a server takes to its first answer, and what it weighs at rest."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.peers.peer import Peer
from bench.results import Start, Starts

SETTLE_SECONDS = 1.0


def measure(
    peer: Peer, loaded: Path, scratch: Path, *, times: int, tick: Callable[[], None]
) -> Starts:
    """Start on fresh empty directories and on the loaded one, `times` each."""
    fresh = [scratch / f"{peer.name}-{number}" for number in range(times)]
    return Starts(
        empty=_start(peer, fresh, tick),
        loaded=_start(peer, [loaded] * times, tick),
    )


def _start(peer: Peer, directories: list[Path], tick: Callable[[], None]) -> Start:
    seconds, memory = [], []
    for directory in directories:
        with peer.start(directory) as server:
            time.sleep(SETTLE_SECONDS)
            seconds.append(server.ready_seconds)
            memory.append(server.memory_mb())
        tick()
    return Start(seconds=median(seconds), memory_mb=median(memory))
