"""Servers under measurement as child processes: start, wait, weigh, stop."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import proc
from bench.errors import BenchError

PORTS = range(20_000, 30_000)
START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.002
SETTLE_SECONDS = 15.0
QUIET_SECONDS = 0.2
QUIET_SHARE = 0.15


class Server:
    """One running server; `ready_seconds` is the time from spawn to its first 200."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        health: str,
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.port = port
        self._log = directory / f"{name}.log"
        with self._log.open("ab") as log:
            spawned = time.perf_counter()
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env=_environment(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait(health)
        except BenchError:
            self.stop()
            raise
        self.ready_seconds = time.perf_counter() - spawned

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def memory_mb(self) -> float:
        """Resident memory of the process and its descendants, in MB (10^6 bytes)."""
        return proc.resident_bytes(self._process.pid) / 1e6

    def settle(self) -> None:
        """Wait until work left over from a round is done, so that the next server has the cores."""
        deadline = time.perf_counter() + SETTLE_SECONDS
        before = proc.busy_seconds(self._process.pid)
        while time.perf_counter() < deadline:
            time.sleep(QUIET_SECONDS)
            now = proc.busy_seconds(self._process.pid)
            if now - before < QUIET_SHARE * QUIET_SECONDS:
                return
            before = now

    def stop(self) -> None:
        """Ask the server to end, then insist."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def _wait(self, health: str) -> None:
        deadline = time.perf_counter() + START_SECONDS
        while not _answers(self.port, health):
            if self._process.poll() is not None:
                raise BenchError(f"{self.name} ended while starting:\n{self._log_tail()}")
            if time.perf_counter() > deadline:
                raise BenchError(f"{self.name} did not answer {health}:\n{self._log_tail()}")
            time.sleep(POLL_SECONDS)

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def free_port() -> int:
    """A port nobody listens on, outside the range the kernel gives to outgoing connections.

    Inside that range a client that polls for the server may be given the very port it polls.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchError("no port is free")


def run(
    command: Sequence[str], *, directory: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run a command to its end and return what it printed; raises BenchError when it fails."""
    directory.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        command,
        cwd=directory,
        env=_environment(environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise BenchError(f"a set-up command failed:\n{(result.stderr or result.stdout)[-2000:]}")
    return result.stdout


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without settings of the server itself."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BKEND_")}
    return kept | dict(extra)


def _answers(port: int, path: str) -> bool:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
