"""The long form of the crash test."""

import importlib
from types import ModuleType

from bench.errors import BenchError

HARNESS = "tests.crash.harness"
LOG_TAIL = 2_000


def run(kills: int) -> None:
    """Kill a server `kills` times; raises BenchError if a promise was broken or it cannot run."""
    harness = _harness()
    try:
        report = harness.run(kills=kills)
    except AssertionError as error:
        raise BenchError(f"the crash test stopped: {str(error)[-LOG_TAIL:]}") from error
    if report.problems:
        raise BenchError("\n".join(["promises were broken:", *report.problems]))


def _harness() -> ModuleType:
    try:
        return importlib.import_module(HARNESS)
    except ModuleNotFoundError as error:
        if not HARNESS.startswith(error.name or " "):
            raise
        raise BenchError(f"the crash test is not here ({HARNESS} cannot be imported)") from error
