"""Rounds in turns, so that the machine's noise meets every server alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.errors import BenchError
from bench.process import Server
from bench.results import Load
from bench.wrk import Driver, Round

WARM_UP_SECONDS = 1
LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Lane:
    """A server and the traffic it gets."""

    server: Server
    driver: Driver


def interleaved(
    lanes: Mapping[str, Lane],
    *,
    rounds: int,
    seconds: int,
    tick: Callable[[], None],
    warm_up: int = WARM_UP_SECONDS,
) -> dict[str, Load]:
    """Warm every server up, then drive them one after the other, round after round.

    A server that answers nothing in a round gets rounds twice as long from then on.
    """
    for lane in lanes.values():
        lane.driver.run(lane.server.port, seconds=warm_up, seed=0)
        lane.server.settle()
        tick()
    found: dict[str, list[Round]] = {name: [] for name in lanes}
    memory = dict.fromkeys(lanes, 0.0)
    lengths = dict.fromkeys(lanes, seconds)
    for number in range(1, rounds + 1):
        for name, lane in lanes.items():
            result = lane.driver.run(lane.server.port, seconds=lengths[name], seed=number)
            while not result.requests_per_second:
                if lengths[name] > LONGEST_SECONDS:
                    raise BenchError(f"{name} answered nothing in {lengths[name]} s")
                lane.server.settle()
                lengths[name] *= 2
                result = lane.driver.run(lane.server.port, seconds=lengths[name], seed=number)
            found[name].append(result)
            memory[name] = max(memory[name], lane.server.memory_mb())
            lane.server.settle()
            tick()
    return {name: Load(tuple(found[name]), memory[name]) for name in lanes}
