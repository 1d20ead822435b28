"""The long form of the crash test."""

import importlib
from types import ModuleType

from bench.errors import BenchError

HARNESS = "tests.crash.harness"


def run(kills: int) -> None:
    """Run the crash test's harness `kills` times; raises BenchError if it is not there."""
    _harness().run(kills=kills)


def _harness() -> ModuleType:
    try:
        return importlib.import_module(HARNESS)
    except ModuleNotFoundError as error:
        raise BenchError(f"the crash test is not here ({HARNESS} cannot be imported)") from error
