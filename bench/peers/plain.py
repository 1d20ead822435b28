"""Files sent by the server library alone: the ceiling for bkend on it.

`python -m bench.peers.plain PORT FOLDER` answers a GET with the file of that name and its length.
"""

import sys
from pathlib import Path
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server as Granian

from bench.process import Server, free_port

NAME = "granian alone"


def start(files: Path, directory: Path) -> Server:
    """Start it in a process of its own."""
    port = free_port()
    root = Path(__file__).parents[2]
    return Server(
        "plain",
        [sys.executable, "-m", "bench.peers.plain", str(port), str(files)],
        port=port,
        health="/healthz",
        directory=directory,
        environment={"PYTHONPATH": str(root)},
    )


async def _serve(port: int, files: Path) -> None:
    lengths = {f"/{path.name}": (str(path), path.stat().st_size) for path in files.iterdir()}

    async def app(scope: Any, protocol: Any) -> None:
        found = lengths.get(scope.path)
        if found is None:
            protocol.response_empty(200, [])
            return
        path, length = found
        protocol.response_file(200, [("content-length", str(length))], path)

    server = Granian(
        app, port=port, interface=Interfaces.RSGI, log_level=LogLevels.warning, websockets=False
    )
    await server.serve()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
