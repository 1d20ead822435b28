"""Rounds in turns, so that the machine's noise meets every server alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.errors import BenchError
from bench.process import Server
from bench.results import Load
from bench.wrk import Driver, Round

WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Lane:
    """A server and the traffic it gets."""

    server: Server
    driver: Driver


def interleaved(
    lanes: Mapping[str, Lane], *, rounds: int, seconds: int, tick: Callable[[], None]
) -> dict[str, Load]:
    """Warm every server up, then drive them one after the other, round after round."""
    for lane in lanes.values():
        lane.driver.run(lane.server.port, seconds=WARM_UP_SECONDS, seed=0)
        lane.server.settle()
        tick()
    found: dict[str, list[Round]] = {name: [] for name in lanes}
    memory = dict.fromkeys(lanes, 0.0)
    for number in range(1, rounds + 1):
        for name, lane in lanes.items():
            result = lane.driver.run(lane.server.port, seconds=seconds, seed=number)
            if not result.requests_per_second:
                raise BenchError(f"{name} answered nothing in {seconds} s: use longer rounds")
            found[name].append(result)
            memory[name] = max(memory[name], lane.server.memory_mb())
            lane.server.settle()
            tick()
    return {name: Load(tuple(found[name]), memory[name]) for name in lanes}
