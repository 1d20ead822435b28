"""Real servers for tests: a process of its own, a fresh data directory, a free port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 30


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without settings of ours, plus the given ones.

    Processes keep their bytecode, whatever is set for this one: most of them are short."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BKEND_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}


def command(
    *arguments: str, cwd: Path, check: bool = True, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `bkend ARGUMENTS` and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "bkend", *arguments],
        cwd=cwd,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"bkend {' '.join(arguments)} failed: {done.stderr or done.stdout}")
    return done


@dataclass
class RunningServer:
    """A served data directory; `stop` and `start` may be called again and again."""

    directory: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    made: dict[str, Any] = field(default_factory=dict)
    database_url: str | None = None

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return str(self.made["publishableKey"])

    @property
    def secret(self) -> str:
        return str(self.made["secretKey"])

    @property
    def log(self) -> str:
        path = self.directory / "server.log"
        return path.read_text() if path.exists() else ""

    def bkend(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command on this server's data directory."""
        return command(
            *arguments,
            "--data",
            str(self.data),
            cwd=self.directory,
            check=check,
            environment=self._database,
        )

    @property
    def _database(self) -> dict[str, str]:
        """The variables that name the database; none is SQLite in the data directory."""
        return {"BKEND_DATABASE_URL": self.database_url} if self.database_url else {}

    def init(self) -> None:
        """Make the data directory and remember its keys."""
        self.made = json.loads(self.bkend("init", "--json").stdout)

    def apply(self, tables: str, *options: str) -> None:
        """Bring the tables to what the YAML text declares."""
        file = self.directory / "bkend.yaml"
        file.write_text(tables)
        self.bkend("apply", str(file), "--project", "app", "--env", "dev", "--yes", *options)

    def start(self) -> None:
        """Serve, and wait until it answers."""
        environment = clean_environment(
            {"BKEND_RATE_LIMIT": "off", **self._database, **self.environment}
        )
        with open(self.directory / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "bkend",
                    "serve",
                    "--data",
                    str(self.data),
                    "--port",
                    str(self.port),
                ],
                cwd=self.directory,
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(base_url=self.url, timeout=1, verify=False) as client:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    raise AssertionError(f"the server ended at once: {self.log}")
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    time.sleep(0.02)
        raise AssertionError(f"the server did not answer: {self.log}")

    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process = None
        return code

    def client(self, key: str | None = None, token: str | None = None) -> httpx.Client:
        """An HTTP client with the key (publishable unless named) and token in its headers."""
        headers = {"X-API-Key": key or self.key}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # Nothing here speaks TLS, and reading the certificates takes longer than most tests.
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)

    def sign_up(self, email: str, password: str = "correct horse", name: str = "Ada") -> Any:
        """A new user; the answer of the sign-up."""
        with self.client() as client:
            body = {"email": email, "password": password, "name": name}
            answer = client.post("/v1/auth/email/signup", json=body)
            assert answer.status_code == 201, answer.text
            return answer.json()
