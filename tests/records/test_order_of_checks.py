"""Which refusal comes first when several would do (20 §1.3, step by step)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.answers import ok, refusal
from tests.backdoor import expired, make_key, set_environment
from tests.people import People
from tests.servers import RunningServer

BAD_QUERY = "?page=0"
BAD_BODY = b"{nope"


@dataclass(frozen=True)
class Keys:
    """Keys and tokens of every kind of badness."""

    by_name: dict[str, str]

    def headers(self, key: str | None, token: str | None) -> dict[str, str]:
        found = {} if key is None else {"X-API-Key": self.by_name[key]}
        return (
            found if token is None else {**found, "Authorization": f"Bearer {self.by_name[token]}"}
        )


@pytest.fixture(scope="module")
def keys(server: RunningServer, people: People) -> Keys:
    server.bkend("init", "--env", "asleep")
    sleeping = make_key(server, "publishable", environment="asleep")["key"]
    set_environment(server, "asleep", status="suspended")
    return Keys(
        {
            "unknown": "pk_" + "0" * 64,
            "publishable": server.key,
            "sleeping": sleeping,
            "scoped": make_key(server, "publishable", scopes=("free:read",))["key"],
            "secret": server.secret,
            "bad token": "x.y.z",
            "expired token": expired(server, people.owner.token),
            "token": people.owner.token,
        }
    )


@pytest.fixture(scope="module")
def plain(server: RunningServer) -> Iterator[httpx.Client]:
    """A client that sends no key of its own."""
    with httpx.Client(base_url=server.url, timeout=30, verify=False) as client:
        yield client


@pytest.mark.parametrize(
    ("step", "key", "token", "method", "path", "body", "status", "code"),
    [
        # 1 before 2, 3 …: everything is wrong, the missing key is named
        (1, None, "bad token", "GET", f"none/x{BAD_QUERY}", b"", 400, "data/invalid-header"),
        (1, None, None, "POST", "closed", BAD_BODY, 400, "data/invalid-header"),
        # 2 before 3
        (2, "unknown", "expired token", "GET", "none", b"", 401, "auth/invalid-token"),
        (2, "unknown", None, "POST", "closed", BAD_BODY, 401, "auth/invalid-token"),
        # 3 before 5: the token is judged even where the environment is not active
        (3, "sleeping", "bad token", "GET", "none", b"", 401, "auth/invalid-token"),
        (3, "sleeping", "token", "GET", "none", b"", 403, "data/project-access-denied"),
        (3, "scoped", "expired token", "DELETE", "posts/x", b"", 401, "auth/token-expired"),
        # 5 before 6, 7, 8
        (5, "sleeping", None, "GET", "users", b"", 403, "environment/not-active"),
        (5, "sleeping", None, "GET", "none", b"", 403, "environment/not-active"),
        # 6 before 7 and 8
        (6, "scoped", None, "GET", "users", b"", 403, "data/scope-insufficient"),
        (6, "scoped", None, "GET", "none", b"", 403, "data/scope-insufficient"),
        (6, "scoped", None, "POST", "free", BAD_BODY, 403, "data/scope-insufficient"),
        # 7 before 8: whether or not it exists
        (7, "publishable", "token", "GET", "users", b"", 403, "data/system-table-access"),
        (7, "publishable", None, "GET", "_nothing", b"", 403, "data/system-table-access"),
        (7, "publishable", None, "POST", "sessions", BAD_BODY, 403, "data/system-table-access"),
        (7, "secret", None, "POST", "accounts", BAD_BODY, 403, "data/system-table-access"),
        (7, "secret", None, "GET", "_nothing", b"", 404, "data/table-not-found"),
        # 8 before 9 and 10
        (8, "publishable", None, "GET", f"none{BAD_QUERY}", b"", 404, "data/table-not-found"),
        (8, "publishable", None, "POST", "none", BAD_BODY, 404, "data/table-not-found"),
        # 9 before 10: who may not learns nothing of the schema
        (9, "publishable", None, "GET", f"closed{BAD_QUERY}", b"", 403, "data/permission-denied"),
        (9, "publishable", None, "POST", "closed", BAD_BODY, 403, "data/permission-denied"),
        (9, "publishable", None, "POST", "typed", b'{"done":5}', 403, "data/permission-denied"),
        (9, "publishable", None, "PATCH", "notes/x", BAD_BODY, 403, "data/permission-denied"),
        (9, "publishable", None, "GET", "notes/x?select=$", b"", 403, "data/permission-denied"),
        # 10 before 11
        (10, "publishable", "token", "PATCH", "notes/none", BAD_BODY, 400, "data/validation-error"),
        (10, "publishable", "token", "PATCH", "notes/none", b"[]", 400, "data/validation-error"),
        (10, "publishable", "token", "GET", "notes/x?select=$", b"", 400, "data/validation-error"),
        # 11 before 14
        (11, "secret", None, "PATCH", "typed/none", b'{"done":5}', 404, "data/not-found"),
        (11, "publishable", "token", "PATCH", "notes/none", b'{"text":5}', 404, "data/not-found"),
    ],
)
def test_first_failure_answers(
    plain: httpx.Client,
    keys: Keys,
    step: int,
    key: str | None,
    token: str | None,
    method: str,
    path: str,
    body: bytes,
    status: int,
    code: str,
) -> None:
    answer = plain.request(
        method, f"/v1/data/{path}", content=body or None, headers=keys.headers(key, token)
    )
    refusal(answer, status, code)


def test_ownership_comes_before_validation(owner: httpx.Client, other: httpx.Client) -> None:
    id = ok(owner.post("/v1/data/notes", json={"text": "mine"}), 201)["id"]
    for body in ({"text": 5}, {"text": None}, {"$bad": 1}):
        answer = other.patch(f"/v1/data/notes/{id}", json=body)
        refusal(answer, 403, "data/permission-denied")


def test_validation_comes_before_uniqueness(admin: httpx.Client) -> None:
    ok(admin.post("/v1/data/members", json={"email": "order@x"}), 201)
    body = {"email": "order@x", "$bad": 1}
    refusal(admin.post("/v1/data/members", json=body), 400, "data/validation-error")


def test_scope_refusal_names_what_is_missing(plain: httpx.Client, keys: Keys) -> None:
    headers = keys.headers("scoped", None)
    answer = plain.delete("/v1/data/articles/x", headers=headers)
    message = refusal(answer, 403, "data/scope-insufficient")["message"]
    assert message == "API Key scope does not include articles:delete"
