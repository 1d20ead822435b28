"""Driving a server with wrk."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.workloads import Traffic

CONNECTIONS = 32
THREADS = 1  # the machine's other cores belong to the server
TIMEOUT_SECONDS = 30
_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Round:
    """One run of wrk: requests per second, latencies in milliseconds, 10^6 bytes per second."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    megabytes_per_second: float = 0.0


class Driver:
    """Sends one kind of traffic; its files are written once and used in every round."""

    def __init__(self, traffic: Traffic, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._headers = traffic.headers
        self._environment = {
            "BENCH_PATHS": str(_lines(directory / "paths", traffic.paths)),
            "BENCH_BODIES": str(_lines(directory / "bodies", traffic.bodies)),
            "BENCH_WRITE_PATH": traffic.write_path,
            "BENCH_WRITE_EVERY": str(traffic.write_every),
        }

    def run(self, port: int, *, seconds: int, seed: int, connections: int = CONNECTIONS) -> Round:
        """Load the server on `port`; raises BenchError if any request failed."""
        command = ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s"]
        command += ["--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(_SCRIPT)]
        for name, value in self._headers.items():
            command += ["-H", f"{name}: {value}"]
        command.append(f"http://127.0.0.1:{port}/")
        result = subprocess.run(
            command,
            env=os.environ | self._environment | {"BENCH_SEED": str(seed)},
            capture_output=True,
            text=True,
            check=False,
        )
        return _parse(result.stdout, result.stderr)


def require() -> None:
    """Make sure wrk is there: as root on Debian install it, otherwise say how."""
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and (apt := shutil.which("apt-get")):
        subprocess.run([apt, "install", "-y", "-q", "wrk"], check=False, capture_output=True)
    if not shutil.which("wrk"):
        raise BenchError("wrk is missing: apt-get install wrk")


def version() -> str:
    """The version wrk reports (it prints it with its usage, and exits 1)."""
    words = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return words.split()[1].removeprefix("debian/")


def _lines(file: Path, lines: Sequence[str]) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def _parse(output: str, errors: str) -> Round:
    line = next((line for line in output.splitlines() if line.startswith("bench ")), None)
    if line is None:
        raise BenchError(f"wrk gave no result:\n{(errors or output)[-2000:]}")
    result = json.loads(line.removeprefix("bench "))
    if result["refused"] or result["failed"]:
        raise BenchError(f"requests failed under load: {line}")
    return Round(
        requests_per_second=result["requests"] / result["microseconds"] * 1e6,
        p50_ms=result["p50"] / 1e3,
        p99_ms=result["p99"] / 1e3,
        megabytes_per_second=result["bytes"] / result["microseconds"],
    )
