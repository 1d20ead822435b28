"""The sample pages, each on an origin of its own and under the policy that its guide recommends."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@contextmanager
def example_site(name: str, config: Mapping[str, Any], bytes_at: str = "") -> Iterator[str]:
    """The address of `examples/NAME` with these values, of which `API` is one, as its config.
    `bytes_at` is the origin of files, where that is not the server's."""
    module = "".join(f"export const {n} = {json.dumps(value)};\n" for n, value in config.items())
    policy = documented_policy(name, f"{config['API']} {bytes_at}".strip())

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/config.js":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.end_headers()
            self.wfile.write(module.encode())

        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", policy)
            super().end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Handler, directory=str(ROOT / "examples" / name))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{served.server_address[1]}/index.html"
        served.shutdown()
        thread.join()


def documented_policy(name: str, origins: str) -> str:
    """The policy that the guide recommends for the page, for servers without https."""
    guide = (ROOT / "docs" / "guides" / f"{name}-page.md").read_text()
    policy = guide.split("```text\n")[1].split("\n```")[0]
    policy = policy.replace("https://api.example.com", origins)
    for kind in ("img-src", "media-src"):
        policy = policy.replace(f"{kind} ", f"{kind} {origins} ")
    return policy
