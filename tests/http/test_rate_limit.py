"""The rate limit of `/v1` over HTTP (00 §5; attack: forged X-Forwarded-For)."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.answers import refusal
from tests.backdoor import make_key
from tests.conftest import StartServer
from tests.servers import RunningServer

DATA = "/v1/data/posts"
BURST = 5


@pytest.fixture
def limited(start_server: StartServer) -> RunningServer:
    """A server that allows five calls and then one more every minute or so."""
    return start_server(BKEND_RATE_LIMIT=f"1/{BURST}")


@pytest.fixture
def behind_proxy(start_server: StartServer) -> RunningServer:
    """The same behind a proxy on this machine."""
    return start_server(BKEND_RATE_LIMIT=f"1/{BURST}", BKEND_TRUSTED_PROXIES="127.0.0.1")


def allowed(call: Callable[[], httpx.Response]) -> int:
    """How many calls in a row are answered before the first 429."""
    for number in range(100):
        answer = call()
        if answer.status_code == 429:
            return number
    raise AssertionError("there is no limit")


def test_limit(limited: RunningServer) -> None:
    with limited.client() as client:
        answers = [client.get(DATA) for _ in range(BURST)]
        assert [answer.status_code for answer in answers] == [200] * BURST
        left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
        assert left == [4, 3, 2, 1, 0]
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"1"}
        refused = client.get(DATA)
        refusal(refused, 429, "data/rate-limit-exceeded")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers.get_list("x-ratelimit-limit") == ["1"]
        assert refused.headers.get_list("x-ratelimit-remaining") == ["0"]
        # every path of /v1 draws on the same bucket, whoever signs in
        for method, path in (("GET", "/v1/auth/me"), ("POST", DATA), ("GET", "/v1/posts/x")):
            assert client.request(method, path).status_code == 429
        refused = client.get(DATA, headers={"Origin": "https://app.example.com"})
        assert refused.headers["access-control-allow-origin"] == "*"
        # nothing else is limited
        for path in ("/healthz", "/console/", "/docs/"):
            assert client.get(path).status_code == 200
        assert client.options(DATA).status_code == 204
    # each key has its bucket; a forged header opens no other
    with limited.client(limited.secret) as admin:
        assert admin.get(DATA).status_code == 200
    with limited.client() as client:
        for number in range(3):
            forged = {"X-Forwarded-For": f"9.9.9.{number}", "Forwarded": "for=1.2.3.4"}
            assert client.get(DATA, headers=forged).status_code == 429
    other = make_key(limited, "publishable")["key"]
    with limited.client(other) as client:
        assert client.get(DATA).status_code == 200
    # an array body counts as one call
    with limited.client(make_key(limited)["key"]) as admin:
        answer = admin.post(DATA, json=[{"title": "x"}] * 50)
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (201, "4")


def test_refused_calls_are_not_carried_out(limited: RunningServer) -> None:
    key = make_key(limited)["key"]
    with limited.client(limited.secret) as admin:
        assert allowed(lambda: admin.post(DATA, json={"title": "x"})) >= BURST
    with limited.client(key) as other:
        before = other.get(DATA).json()["pagination"]["total"]
        assert BURST <= before < 100
        with limited.client(limited.secret) as admin:
            admin.post(DATA, json=[{"title": "refused"}] * 10)
        assert other.get(DATA).json()["pagination"]["total"] - before in (0, 10)


def test_addresses_behind_a_proxy_are_separate_for_publishable_keys(
    behind_proxy: RunningServer,
) -> None:
    def call(forwarded: str) -> Callable[[], httpx.Response]:
        return lambda: client.get(DATA, headers={"X-Forwarded-For": forwarded})

    with behind_proxy.client() as client:
        assert allowed(call("203.0.113.1")) >= BURST
        assert allowed(call("203.0.113.2")) >= BURST
        # what the client itself wrote stands further left, and does not count
        assert call("198.51.100.7, 203.0.113.1")().status_code == 429
        assert call("203.0.113.99,127.0.0.1, 203.0.113.2")().status_code == 429
        headers = [("X-Forwarded-For", "198.51.100.8"), ("X-Forwarded-For", "203.0.113.1")]
        assert client.get(DATA, headers=headers).status_code == 429
    with behind_proxy.client(behind_proxy.secret) as client:
        assert allowed(call("203.0.113.1")) >= BURST
        assert call("203.0.113.2")().status_code == 429
