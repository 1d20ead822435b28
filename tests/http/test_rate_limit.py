"""The rate limit of `/v1` over HTTP (00 §5; attack: forged X-Forwarded-For)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.answers import refusal
from tests.backdoor import make_key
from tests.conftest import TABLES
from tests.servers import RunningServer

DATA = "/v1/data/posts"
BURST = 5


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that allows five calls at once and then one a second."""
    environment = {"BKEND_RATE_LIMIT": f"1/{BURST}"}
    server = RunningServer(tmp_path_factory.mktemp("limited"), environment=environment)
    server.init()
    server.apply(TABLES)
    server.start()
    yield server
    assert server.stop() == 0


def drain(call: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Call until the first 429; all the answers."""
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code != 429:
        answers.append(call())
        assert len(answers) < 100, "there is no limit"
    assert len(answers) > BURST
    return answers


def is_drained(answer: httpx.Response) -> bool:
    """Whether the call drew on an empty bucket, or one that had time to drip on a slow machine."""
    return answer.status_code == 429 or int(answer.headers["x-ratelimit-remaining"]) < BURST - 2


def test_limit(limited: RunningServer) -> None:
    origin = {"Origin": "https://app.example.com"}
    with limited.client(make_key(limited, "publishable")["key"]) as client:
        *answers, refused = drain(lambda: client.get(DATA, headers=origin))
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
    assert left[0] == BURST - 1
    assert left == sorted(left, reverse=True)
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"1"}
    refusal(refused, 429, "data/rate-limit-exceeded")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers.get_list("x-ratelimit-limit") == ["1"]
    assert refused.headers.get_list("x-ratelimit-remaining") == ["0"]
    assert refused.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/v1/auth/me", "/v1/posts/x", "/v1/nothing", "/v1/auth/nothing"])
def test_every_path_of_the_api_draws_on_the_same_bucket(limited: RunningServer, path: str) -> None:
    with limited.client(make_key(limited, "publishable")["key"]) as client:
        drain(lambda: client.get(DATA))
        assert is_drained(client.get(path))


def test_other_paths_and_preflights_are_not_limited(limited: RunningServer) -> None:
    with limited.client(make_key(limited, "publishable")["key"]) as client:
        drain(lambda: client.get(DATA))
        for path in ("/healthz", "/readyz", "/console/", "/docs/"):
            for _ in range(BURST):
                assert client.get(path).status_code == 200
        assert client.options(DATA).status_code == 204


def test_each_key_has_its_bucket(limited: RunningServer) -> None:
    with limited.client(make_key(limited, "publishable")["key"]) as client:
        drain(lambda: client.get(DATA))
    with limited.client(make_key(limited, "publishable")["key"]) as client:
        assert client.get(DATA).status_code == 200


def test_an_array_body_counts_as_one_call(limited: RunningServer) -> None:
    with limited.client(make_key(limited)["key"]) as admin:
        answer = admin.post(DATA, json=[{"title": "x"}] * 50)
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (201, "4")


def test_refused_calls_are_not_carried_out(limited: RunningServer) -> None:
    with limited.client(make_key(limited)["key"]) as admin:
        answers = drain(lambda: admin.post("/v1/data/plain", json={"title": "limited"}))
    with limited.client(make_key(limited)["key"]) as admin:
        found = admin.get("/v1/data/plain", params={"andFilters": '{"title":"limited"}'})
        assert found.json()["pagination"]["total"] == len(answers) - 1


def test_a_forged_address_opens_no_other_bucket(limited: RunningServer) -> None:
    with limited.client(make_key(limited, "publishable")["key"]) as client:
        drain(lambda: client.get(DATA))
        for number in range(3):
            forged = {"X-Forwarded-For": f"9.9.9.{number}", "Forwarded": "for=1.2.3.4"}
            assert is_drained(client.get(DATA, headers=forged))
