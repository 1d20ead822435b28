"""A bare ASGI endpoint on the same server library: the ceiling for a read.

`python -m bench.peers.bare PORT` answers every request with one fixed record.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server as Granian

from bench.documents import bodies
from bench.process import Server, free_port
from bench.workloads import Traffic

NAME = "bare endpoint"


def start(directory: Path) -> Server:
    """Start the endpoint in a process of its own."""
    port = free_port()
    root = Path(__file__).parents[2]
    return Server(
        "bare",
        [sys.executable, "-m", "bench.peers.bare", str(port)],
        port=port,
        health="/healthz",
        directory=directory,
        environment={"PYTHONPATH": str(root)},
    )


def traffic() -> Traffic:
    """Requests as a read of bkend sends them."""
    return Traffic({"X-API-Key": f"pk_{'0' * 64}"}, paths=[f"/v1/data/posts/{'0' * 24}"])


def _body() -> bytes:
    system = {
        "id": "0" * 24,
        "createdBy": "",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    return json.dumps(json.loads(bodies(1, seed=1)[0]) | system, separators=(",", ":")).encode()


_BODY = _body()
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_BODY)).encode()),
    ],
}
_END = {"type": "http.response.body", "body": _BODY}


async def _app(
    scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Awaitable[None]]
) -> None:
    await send(_START)
    await send(_END)


async def _serve(port: int) -> None:
    server = Granian(
        _app, port=port, interface=Interfaces.ASGINL, log_level=LogLevels.warning, websockets=False
    )
    await server.serve()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
