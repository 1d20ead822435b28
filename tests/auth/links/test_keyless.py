"""What a browser opens without a key is counted by its address."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asgi import in_process


@pytest.mark.parametrize(
    "path", ["/v1/auth/signup/email/confirm", "/auth/reset-password", "/auth/invitation"]
)
async def test_too_many_navigations_are_refused(tmp_path: Path, path: str) -> None:
    async with in_process(tmp_path, rate_limit="1/3") as server:
        statuses = [(await server.call("GET", path, key="")).status for _ in range(5)]
        assert 429 not in statuses[:3]
        assert statuses[4] == 429
        assert (await server.call("GET", path, key="", peer="203.0.113.9")).status != 429
