"""Navigations that need no key (10 §1): which they are, and that they are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bkend.http.keyless import needs_no_key, versioned
from tests.asgi import in_process


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/auth/google/callback", True),
        ("POST", "/v1/auth/google/callback", False),
        ("HEAD", "/v1/auth/google/callback", False),
        ("GET", "/v1/auth/google/authorize", False),
        ("GET", "/v1/auth/google/x/callback", False),
        ("GET", "/v1/auth/callback", False),
        ("GET", "/v1/auth/google/callback/", False),
        ("GET", "/v1/auth/google/callback\n", False),
        ("GET", "/v1/data/google/callback", False),
        ("GET", "/v1/auth/me", False),
    ],
)
def test_which_calls_need_no_key(method: str, path: str, expected: bool) -> None:
    assert needs_no_key(method, path) is expected


def test_one_path_may_leave_the_version_out() -> None:
    assert versioned("/auth/google/callback") == "/v1/auth/google/callback"
    for path in ("/auth/me", "/auth/google/authorize", "/auth/a/b/callback", "/x/auth/a/callback"):
        assert versioned(path) == path


async def test_calls_without_a_key_are_counted_by_address(tmp_path: Path) -> None:
    async with in_process(tmp_path / "data", rate_limit="1/2") as opened:

        async def call(peer: str) -> int:
            path = "/auth/google/callback"
            return (await opened.call("GET", path, key="", peer=peer)).status

        assert [await call("203.0.113.7") for _ in range(4)] == [401, 401, 429, 429]
        assert await call("203.0.113.8") == 401


async def test_what_a_browser_brings_is_not_logged(tmp_path: Path) -> None:
    async with in_process(tmp_path / "data", log_level="debug") as opened:
        with capture_logs() as logs:
            path, query = "/auth/google/callback", b"code=c0de&state=bks1.st4te.x"
            await opened.call("GET", path, query=query, key="")
    assert [(line["path"], line["status"]) for line in logs if line["event"] == "request"] == [
        ("/v1/auth/google/callback", 401)
    ]
    assert "c0de" not in str(logs)
    assert "st4te" not in str(logs)
