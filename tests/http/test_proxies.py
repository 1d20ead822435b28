"""Behind a trusted proxy the client's own address counts (attack: forged X-Forwarded-For)."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.backdoor import make_key
from tests.conftest import TABLES
from tests.http.test_rate_limit import BURST, DATA, drain, is_drained
from tests.servers import RunningServer


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server behind a proxy on this machine, with a narrow limit."""
    environment = {"BKEND_RATE_LIMIT": f"1/{BURST}", "BKEND_TRUSTED_PROXIES": "127.0.0.1"}
    server = RunningServer(tmp_path_factory.mktemp("proxied"), environment=environment)
    server.init()
    server.apply(TABLES)
    server.start()
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ([], 200),
        (["127.0.0.1"], 200),
        (["203.0.113.1"], 404),
        (["127.0.0.1, 203.0.113.1"], 404),
        (["127.0.0.1", "203.0.113.1"], 404),
        (["203.0.113.1", "127.0.0.1"], 404),
    ],
)
def test_metrics_are_shown_to_this_machine_only(
    proxied: RunningServer, forwarded: list[str], status: int
) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    assert httpx.get(f"{proxied.url}/metrics", headers=headers).status_code == status


def test_addresses_are_separate_for_a_publishable_key(proxied: RunningServer) -> None:
    with proxied.client(make_key(proxied, "publishable")["key"]) as client:

        def call(*forwarded: str) -> httpx.Response:
            headers = [("X-Forwarded-For", value) for value in forwarded]
            return client.get(DATA, headers=headers)

        drain(lambda: call("203.0.113.1"))
        # what the client itself wrote stands further left, and opens no other bucket
        assert is_drained(call("198.51.100.7, 203.0.113.1"))
        assert is_drained(call("203.0.113.99,127.0.0.1, 203.0.113.1"))
        assert is_drained(call("198.51.100.8", "203.0.113.1"))
        assert not is_drained(call("203.0.113.2"))


def test_a_secret_key_has_one_bucket_for_all_addresses(proxied: RunningServer) -> None:
    with proxied.client(make_key(proxied)["key"]) as client:
        drain(lambda: client.get(DATA, headers={"X-Forwarded-For": "203.0.113.1"}))
        assert is_drained(client.get(DATA, headers={"X-Forwarded-For": "203.0.113.2"}))
