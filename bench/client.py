"""A small blocking JSON client, and a loader that keeps several connections busy."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

from bench.errors import BenchError

TIMEOUT_SECONDS = 120.0


class Client:
    """JSON over one keep-alive connection to a server on this machine."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._headers = {"Content-Type": "application/json", **(headers or {})}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and return the decoded answer; raises BenchError above status 299."""
        payload = None if body is None else json.dumps(body, separators=(",", ":"))
        return self.send(method, path, payload)

    def send(self, method: str, path: str, payload: str | None) -> Any:
        """As `call`, with a body that is JSON already."""
        data = None if payload is None else payload.encode()
        self._connection.request(method, path, data, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status > 299:
            raise BenchError(f"{method} {path} answered {response.status}: {answer[:300]!r}")
        return json.loads(answer) if answer else None

    def close(self) -> None:
        self._connection.close()


def post_all(
    client: Callable[[], Client],
    path: str,
    payloads: Iterable[object],
    done: Callable[[Any], None],
    *,
    connections: int = 4,
) -> None:
    """POST every payload over several connections; `done` gets each answer, in order."""
    own = threading.local()

    def post(payload: object) -> Any:
        if not hasattr(own, "client"):
            own.client = client()
        return own.client.call("POST", path, payload)

    with ThreadPoolExecutor(connections) as pool:
        for answer in pool.map(post, payloads):
            done(answer)
