"""Paths and methods of the data API: shorthand, slashes, oddities (20 §1.1, §12 item 1)."""

from __future__ import annotations

import httpx
import pytest

from tests.answers import ok, refusal
from tests.servers import RunningServer
from tests.wire import wire


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "articles?limit=5", None),
        ("GET", "articles/none", None),
        ("GET", "articles/", None),
        ("GET", "none", None),
        ("GET", "closed", None),
        ("GET", "_system", None),
        ("GET", "articles?page=0", None),
        ("GET", "sessions", None),
        ("PUT", "articles", b"{}"),
        ("PATCH", "articles/none", b"{}"),
        ("DELETE", "articles/none", None),
        ("POST", "articles", b"{}"),
        ("POST", "articles/", b"{}"),
        ("POST", "closed", b"{"),
        ("GET", "Articles", None),
        ("GET", "articles/spec%2Fx", None),
    ],
)
def test_shorthand_answers_byte_for_byte_as_the_standard_path(
    server: RunningServer, method: str, target: str, body: bytes | None
) -> None:
    for key in (None, server.secret, ""):
        standard = wire(server, method, f"/v1/data/{target}", body, key=key)
        short = wire(server, method, f"/v1/{target}", body, key=key)
        assert (short.status, short.body) == (standard.status, standard.body)


def test_shorthand_writes_too(owner: httpx.Client) -> None:
    record = ok(owner.post("/v1/articles", json={"title": "short"}), 201)
    path = f"/v1/articles/{record['id']}"
    assert ok(owner.get(f"/v1/data/articles/{record['id']}")) == record
    assert ok(owner.patch(path, json={"title": "shorter"}))["title"] == "shorter"
    ok(owner.delete(path))
    refusal(owner.get(path), 404, "data/not-found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "articles", "GET, HEAD, POST, OPTIONS"),
        ("PATCH", "articles", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", "articles", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", "articles/", "GET, HEAD, POST, OPTIONS"),
        ("TRACE", "articles", "GET, HEAD, POST, OPTIONS"),
        ("QUERY", "articles", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "articles/x", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("POST", "articles/x", "GET, HEAD, PATCH, DELETE, OPTIONS"),
    ],
)
def test_other_methods_are_refused_with_those_that_do(
    server: RunningServer, anonymous: httpx.Client, method: str, path: str, allow: str
) -> None:
    for prefix in ("/v1/data/", "/v1/"):
        answer = anonymous.request(method, prefix + path)
        refusal(answer, 405, "common/method-not-allowed", method)
        assert answer.headers["allow"] == allow


def test_trailing_slash_is_tolerated_on_collections_only(owner: httpx.Client) -> None:
    record = ok(owner.post("/v1/data/articles/", json={"title": "x"}), 201)
    assert ok(owner.get("/v1/data/articles/?limit=1"))["items"]
    refusal(owner.get(f"/v1/data/articles/{record['id']}/"), 404, "common/not-found")


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/data/", "/v1/", "/v1/data//", "/v1/data//x", "/v1//articles"),
        *("/v1/data/articles/x/y", "/v1/data/articles//x", "/v1/articles/x/y/z"),
        *("/v1/data/articles%2Fx%2Fy", "//v1/data/articles", "/V1/data/articles", "/v2/articles"),
    ],
)
def test_unknown_paths_are_not_found(server: RunningServer, path: str) -> None:
    answer = wire(server, "GET", path)
    assert answer.status == 404
    assert b'"code":"common/not-found"' in answer.body


ODD = [
    *("%2F", "a%2Fb", "%2e%2e%2fetc%2fpasswd", "..", ".", "%2e%2e", "....//", "%00", "a%00b"),
    *("%0d%0aX-Evil:1", "%ED%A0%80", "%FF", "%C0%AF", "%F0%9F%98%80", "%zz", "%", "a" * 10_000),
    *("'%20OR%201=1", "%22;DROP%20TABLE%20x", "$ne", "{}", "[]", "null", "undefined", "NaN"),
    *("_id", "__proto__", "constructor", "%25s%25n", "*", "id;x=1", "-1", "0"),
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:20])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE", "POST"])
def test_odd_ids_and_tables_are_refused_and_harm_nothing(
    server: RunningServer, method: str, odd: str
) -> None:
    body = b"{}" if method in ("PATCH", "POST") else None
    for target in (f"/v1/data/free/{odd}", f"/v1/data/{odd}", f"/v1/{odd}", f"/v1/data/{odd}/x"):
        answer = wire(server, method, target, body, key=server.secret)
        assert 400 <= answer.status < 500, (target, answer)
        assert "x-evil" not in answer.headers
        if answer.body:
            assert answer.body.startswith(b'{"success":false,')


def test_table_names_are_case_sensitive(admin: httpx.Client) -> None:
    refusal(admin.get("/v1/data/Articles"), 404, "data/table-not-found")


def test_unneeded_headers_are_ignored(owner: httpx.Client) -> None:
    headers = {"X-Project-Id": "other", "X-Environment": "prod", "Accept": "text/html"}
    ok(owner.get("/v1/data/articles?limit=1", headers=headers))
