"""A provider that answers what a test tells it to: a process with a real socket.

`POST /script` with `{path: {status, body, raw, headers, seconds, bytes}}` sets what the paths
answer; `GET /script` tells the calls since then, with their forms and Authorization headers.
Run as a program it prints its port.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SCRIPT: dict[str, dict[str, Any]] = {}
CALLS: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    """Follows the script."""

    def do_GET(self) -> None:
        if self.path == "/script":
            self._send(200, json.dumps(CALLS).encode(), {})
        else:
            self._follow("")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if self.path == "/script":
            SCRIPT.clear()
            CALLS.clear()
            SCRIPT.update(json.loads(body))
            self._send(200, b"{}", {})
        else:
            self._follow(body)

    def _follow(self, body: str) -> None:
        path = urlsplit(self.path).path
        CALLS.append(
            {
                "path": path,
                "form": dict(parse_qsl(body)),
                "authorization": self.headers.get("authorization"),
            }
        )
        planned = SCRIPT.get(path, {"status": 404, "body": {"message": "Not Found"}})
        time.sleep(planned.get("seconds", 0))
        raw = planned.get("raw")
        content = raw.encode() if raw is not None else json.dumps(planned.get("body")).encode()
        if "bytes" in planned:
            content = b'"' + b"x" * planned["bytes"] + b'"'
        self._send(planned.get("status", 200), content, planned.get("headers", {}))

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:  # it has heard enough
            pass

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
