"""One error body for every refusal on every path, and a request id on every answer (00 §3)."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.answers import refusal
from tests.servers import RunningServer
from tests.wire import wire

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "common/not-found"),
        ("GET", "/v2/data/posts", 404, "common/not-found"),
        ("GET", "/v1", 404, "common/not-found"),
        ("GET", "/v1/auth/nothing", 404, "common/not-found"),
        ("GET", "/v1/users/a/b/c", 404, "common/not-found"),
        ("GET", "/v1/users", 401, "user/unauthorized"),
        ("GET", "/v1/files/x", 401, "common/authentication-required"),
        ("GET", "/manage/v1/organizations", 401, "auth/unauthorized"),
        ("GET", "/manage/v1/nothing", 404, "common/not-found"),
        ("GET", "/console/nothing.js", 404, "common/not-found"),
        ("GET", "/v1/data/nothing", 404, "data/table-not-found"),
        ("GET", "/v1/data/posts/nothing", 404, "data/not-found"),
        ("GET", "/v1/auth/email/signup", 405, "common/method-not-allowed"),
        ("DELETE", "/v1/auth/me", 405, "common/method-not-allowed"),
        ("POST", "/healthz", 405, "common/method-not-allowed"),
        ("POST", "/console/", 405, "common/method-not-allowed"),
        ("PUT", "/v1/data/posts", 405, "common/method-not-allowed"),
        ("GET", "/v1/auth/me", 401, "auth/unauthorized"),
        ("POST", "/v1/data/posts", 403, "data/permission-denied"),
        ("GET", "/v1/data/posts?limit=0", 400, "data/validation-error"),
        ("GET", "/v1/data/users", 403, "data/system-table-access"),
    ],
)
def test_refusals_have_one_body(
    anonymous: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = anonymous.request(method, path)
    refusal(answer, status, code)
    assert ("allow" in answer.headers) is (status == 405)


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/auth/email/signup", "POST"),
        ("/v1/auth/me", "GET"),
        ("/healthz", "GET, HEAD"),
    ],
)
def test_allow_lists_the_methods_that_do(anonymous: httpx.Client, path: str, allow: str) -> None:
    assert anonymous.put(path).headers["allow"] == allow


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b"[" * 100_000, b"nope"])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/auth/email/signup", "auth/invalid-request"),
        ("/v1/data/plain", "data/validation-error"),
    ],
)
def test_malformed_json_is_400(admin: httpx.Client, path: str, code: str, content: bytes) -> None:
    refusal(admin.post(path, content=content), 400, code)


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // MEGABYTE):
        yield b" " * MEGABYTE
    yield b" " * (size % MEGABYTE)


@pytest.mark.parametrize("path", ["/v1/data/plain", "/v1/plain", "/v1/auth/email/signup"])
class TestLargeBodies:
    def test_declared_length_is_refused_unread(self, server: RunningServer, path: str) -> None:
        headers = {"Content-Length": str(11 * MEGABYTE)}
        answer = wire(server, "POST", path, b"{", headers, key=server.secret)
        assert answer.status == 413
        assert b'"code":"common/payload-too-large"' in answer.body

    def test_absurd_length_is_refused(self, server: RunningServer, path: str) -> None:
        headers = {"Content-Length": "9" * 18}
        assert wire(server, "POST", path, b"{", headers, key=server.secret).status == 413

    def test_streamed_body_is_refused_once_it_is_too_long(
        self, admin: httpx.Client, path: str
    ) -> None:
        answer = admin.post(path, content=chunks(11 * MEGABYTE))
        refusal(answer, 413, "common/payload-too-large")

    def test_limit_itself_is_taken(self, admin: httpx.Client, path: str) -> None:
        for content in (b" " * (10 * MEGABYTE), chunks(10 * MEGABYTE)):
            assert admin.post(path, content=content).status_code == 400  # no JSON, but read
        assert admin.post(path, content=b" " * (10 * MEGABYTE + 1)).status_code == 413


def test_body_of_ten_megabytes_is_stored(admin: httpx.Client) -> None:
    text = "x" * (10 * MEGABYTE - 20)
    answer = admin.post("/v1/data/plain", content=b'{"text":"' + text.encode() + b'"}')
    assert answer.status_code == 201
    assert answer.json()["text"] == text
    admin.delete(f"/v1/data/plain/{answer.json()['id']}")


def test_address_over_its_limit_is_414(server: RunningServer) -> None:
    assert wire(server, "GET", "/v1/data/plain?x=" + "a" * 65_600).status == 414
    assert wire(server, "GET", "/v1/data/plain?x=" + "a" * 65_000).status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/healthz", "/readyz", "/metrics", "/docs/", "/console/", "/bkend.js"),
        *("/openapi.json", "/nothing", "/v1/data/posts", "/v1/data/posts/x", "/v1/auth/me"),
    ],
)
def test_every_answer_has_a_request_id_of_its_own(anonymous: httpx.Client, path: str) -> None:
    ids = [anonymous.get(path).headers["x-request-id"] for _ in range(2)]
    assert ids[0] != ids[1]


def test_a_client_cannot_choose_the_request_id(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/v1/data/posts", headers={"X-Request-Id": "mine"})
    assert answer.headers.get_list("x-request-id") != ["mine"]
    assert len(answer.headers.get_list("x-request-id")) == 1
