"""CORS (00 §6): open by default, narrowed by the project's list."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.backdoor import set_project
from tests.servers import RunningServer

ORIGIN = {"Origin": "https://app.example.com"}
ALLOW = "access-control-allow-origin"


@pytest.mark.parametrize("path", ["/v1/data/posts", "/v1/posts", "/v1/auth/me", "/v1/nothing/x/y"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_preflight_answers_without_a_key(bare: httpx.Client, path: str, method: str) -> None:
    answer = bare.options(
        path,
        headers={
            **ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,x-api-key",
        },
    )
    assert answer.status_code == 204
    assert answer.content == b""
    assert answer.headers[ALLOW] == "*"
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed == {"Content-Type", "X-API-Key", "Authorization"}
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/data/posts", 200),
        ("/v1/data/posts?limit=0", 400),
        ("/v1/data/nothing", 404),
        ("/v1/auth/me", 401),
        ("/v1/auth/nothing", 404),
    ],
)
def test_any_origin_may_read_answers_and_errors(
    anonymous: httpx.Client, path: str, status: int
) -> None:
    answer = anonymous.get(path, headers=ORIGIN)
    assert answer.status_code == status
    assert answer.headers.get_list(ALLOW) == ["*"]
    exposed = answer.headers["access-control-expose-headers"].lower()
    for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "retry-after", "x-request-id"):
        assert name in exposed


def test_refusal_of_the_key_can_be_read_too(bare: httpx.Client) -> None:
    for headers in ({}, {"X-API-Key": "pk_" + "0" * 64}):
        answer = bare.get("/v1/data/posts", headers={**ORIGIN, **headers})
        assert answer.headers[ALLOW] == "*"


def test_cookies_are_never_invited(anonymous: httpx.Client) -> None:
    for answer in (
        anonymous.get("/v1/data/posts", headers=ORIGIN),
        anonymous.options("/v1/data/posts", headers=ORIGIN),
    ):
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/console/", "/docs/", "/manage/v1/x", "/metrics"])
def test_other_paths_are_same_origin_only(anonymous: httpx.Client, path: str) -> None:
    assert ALLOW not in anonymous.get(path, headers=ORIGIN).headers
    assert ALLOW not in anonymous.options(path, headers=ORIGIN).headers


def test_without_an_origin_nothing_is_said(anonymous: httpx.Client) -> None:
    assert ALLOW not in anonymous.get("/v1/data/posts").headers


class TestAProjectsOwnList:
    @pytest.fixture(autouse=True)
    def _narrowed(self, server: RunningServer) -> Iterator[None]:
        """The project's list, written while the server runs: it acts on the next request."""
        with server.client() as client:
            assert client.get("/v1/data/posts", headers=ORIGIN).headers[ALLOW] == "*"
            set_project(
                server,
                settings={"allowedOrigins": ["https://app.example.com", "http://localhost:3000"]},
            )
            yield
            set_project(server, settings={})
            assert client.get("/v1/data/posts", headers=ORIGIN).headers[ALLOW] == "*"

    @pytest.mark.parametrize("path", ["/v1/data/posts", "/v1/auth/me", "/v1/data/nothing"])
    def test_listed_origins_are_named(self, anonymous: httpx.Client, path: str) -> None:
        for origin in ("https://app.example.com", "http://localhost:3000"):
            answer = anonymous.get(path, headers={"Origin": origin})
            assert answer.headers.get_list(ALLOW) == [origin]
            assert answer.headers["vary"] == "Origin"

    @pytest.mark.parametrize(
        "origin",
        [
            *("https://evil.example.com", "http://app.example.com", "https://app.example.com:444"),
            *("https://app.example.com.evil.com", "null", "https://sub.app.example.com", "*", ""),
        ],
    )
    def test_other_origins_get_no_header(self, anonymous: httpx.Client, origin: str) -> None:
        answer = anonymous.get("/v1/data/posts", headers={"Origin": origin})
        assert answer.status_code == 200
        assert ALLOW not in answer.headers
        assert "access-control-expose-headers" not in answer.headers
