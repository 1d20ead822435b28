"""A real Chromium, and the example page served from an origin that is not the server's."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

EXAMPLE = Path(__file__).parents[2] / "examples" / "web"
OUTSIDE = "bkend.test"
"""A name of this machine that browsers do not take for this machine's."""
_FLAGS = [
    f"--host-resolver-rules=MAP {OUTSIDE} 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the example page, on an origin of its own."""
    handler = functools.partial(_QuietHandler, directory=str(EXAMPLE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{served.server_address[1]}/index.html"
        served.shutdown()
        thread.join()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless; closed with this package, as its event loop bars others."""
    executable = shutil.which("chromium")
    assert executable, "chromium is needed; `make test` installs it"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of the test's own."""
    made = browser.new_context()
    yield made
    made.close()
