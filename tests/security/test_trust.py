"""What a client may not decide, and what answers may not tell (attack rows 12, 15, 16, 18, 40)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import jwt
import pytest

from bkend.http.gate import Background
from tests.answers import ok, refusal
from tests.security.conftest import Callers
from tests.servers import RunningServer
from tests.wire import wire

FORGED: dict[str, Any] = {
    "id": "000000000000000000000000",
    "_id": "000000000000000000000000",
    "createdAt": "2000-01-01T00:00:00.000Z",
    "updatedAt": "2999-01-01T00:00:00.000Z",
}
REAL_CALLERS = ["editor", "owner", "admin", "secret"]


@pytest.mark.parametrize("name", REAL_CALLERS)
def test_server_fields_are_never_taken_from_a_body(
    bare: httpx.Client, callers: Callers, name: str
) -> None:
    headers = callers.headers[name]
    others = {"createdBy": callers.people.other.id, "created_by": "x", "role": "admin"}
    forged = {**FORGED, **others, "title": "x"}
    for body in (forged, [forged, forged]):
        made = ok(bare.post("/v1/data/posts", json=body, headers=headers), 201)
        for record in made if isinstance(made, list) else [made]:
            assert_own_fields(record, callers, name)
    path = f"/v1/data/posts/{record['id']}"
    patched = ok(bare.patch(path, json=forged, headers=callers.headers["admin"]))
    assert {**patched, "updatedAt": ""} == {**record, "updatedAt": ""}
    assert patched["updatedAt"] < "2999"


def assert_own_fields(record: dict[str, Any], callers: Callers, name: str) -> None:
    assert record["id"] != FORGED["id"]
    assert "_id" not in record
    assert "2001" < record["createdAt"] < "2999"
    assert record["createdAt"] == record["updatedAt"]
    if name == "secret":  # the one that may name the creator (20 §2)
        assert record["createdBy"] == callers.people.other.id
    else:
        assert record["createdBy"] == getattr(callers.people, name).id
    assert record["role"] == "admin", "an ordinary column here, and no more than that"


def test_sign_up_takes_no_role_and_no_verified_address(server: RunningServer) -> None:
    body = {
        "email": "climber@trust.example",
        "password": "correct horse",
        "name": "x",
        "role": "admin",
        "emailVerified": "2020-01-01T00:00:00.000Z",
        "id": "chosen",
        "status": "x",
        "user": {"role": "admin"},
    }
    with server.client() as client:
        made = ok(client.post("/v1/auth/email/signup", json=body), 201)
        assert made["user"]["role"] == "user"
        assert made["user"]["emailVerified"] is None
        assert made["user"]["id"] != "chosen"
        assert (
            jwt.decode(made["accessToken"], options={"verify_signature": False})["role"] == "user"
        )
        with server.client(token=made["accessToken"]) as user:
            refusal(user.get("/v1/data/users"), 403, "data/system-table-access")


def body_of(answer: httpx.Response, *hidden: str) -> str:
    text = answer.text
    for word in hidden:
        text = text.replace(word, "…")
    return text


class TestErrorsDoNotTellWhatExists:
    def test_rows_without_permission(self, bare: httpx.Client, callers: Callers) -> None:
        made = bare.post("/v1/data/notes", json={"text": "x"}, headers=callers.headers["owner"])
        id = ok(made, 201)["id"]
        for method in ("GET", "PATCH", "DELETE"):
            answers = {
                body_of(
                    bare.request(method, f"/v1/data/notes/{each}", headers=callers.headers[name])
                )
                for each in (id, "0" * 24, "x")
                for name in ("anonymous",)
            }
            assert len(answers) == 1

    def test_system_tables(self, bare: httpx.Client, callers: Callers) -> None:
        for name in ("anonymous", "owner"):
            answers = {
                body_of(bare.get(f"/v1/data/{table}", headers=callers.headers[name]))
                for table in ("users", "sessions", "accounts", "files", "_users", "_nothing")
            }
            assert len(answers) == 1

    def test_tables_outside_the_scope(self, bare: httpx.Client, callers: Callers) -> None:
        answers = {
            body_of(bare.get(f"/v1/data/{table}", headers=callers.headers["scoped"]), table)
            for table in ("notes", "plain", "nothing", "users", "_nothing")
        }
        assert len(answers) == 1

    def test_tables_of_other_environments(self, bare: httpx.Client, callers: Callers) -> None:
        answers = {
            body_of(bare.get(f"/v1/data/{table}", headers=callers.headers["foreign key"]), table)
            for table in ("posts", "nothing")
        }
        assert len(answers) == 1

    def test_addresses_at_sign_in(self, bare: httpx.Client, callers: Callers) -> None:
        answers = {
            body_of(
                bare.post(
                    "/v1/auth/email/signin",
                    json={"email": email, "password": "wrong horse"},
                    headers=callers.headers["anonymous"],
                )
            )
            for email in ("guest@people.example", "nobody@people.example")
        }
        assert len(answers) == 1

    def test_values_of_other_rows(self, admin: httpx.Client, callers: Callers) -> None:
        body = {"title": "secret title", "slug": "taken", "content": "secret content"}
        admin.post("/v1/data/posts", json=body)
        answer = admin.post("/v1/data/posts", json={"title": "x", "slug": "taken"})
        refusal(answer, 409, "data/duplicate-value")
        assert "secret" not in answer.text


class TestLimits:
    """Limits hold before anything that costs; none of these may take the server down."""

    def test_headers_have_a_limit(self, server: RunningServer) -> None:
        huge = {"X-Huge": "x" * 2_000_000}
        try:
            assert wire(server, "GET", "/v1/data/posts", headers=huge).status >= 400
        except OSError:
            pass  # or the connection is closed on it
        assert wire(server, "GET", "/healthz").status == 200

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 1_000_000,
            b'{"a":' * 200_000,
            b"[" + b"{}," * 1_000_000 + b"{}]",
            b'{"x":' + b"9" * 1_000_000 + b"}",
            b'{"n":[' + b"1e308," * 1_000_000 + b"1]}",
            b"{" + b",".join(b'"%d":1' % n for n in range(100_000)) + b',"":1}',
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_bodies_that_grow_are_refused(self, admin: httpx.Client, body: bytes) -> None:
        answer = admin.post("/v1/data/plain", content=body)
        assert answer.status_code in (400, 413), answer.text[:200]
        refusal(answer, answer.status_code, answer.json()["code"])
        assert len(answer.content) < 100_000

    @pytest.mark.parametrize("field", [b"tags", b"slug", b"title", b"views"])
    def test_a_million_violations_take_no_longer_than_one(
        self, admin: httpx.Client, field: bytes
    ) -> None:
        body = b'{"title":"x","' + field + b'":[' + b"1," * 1_000_000 + b"1]}"
        batch = b"[" + b",".join([b'{"tags":[' + b"1," * 900 + b"1]}"] * 1000) + b"]"
        for content in (body, batch):
            answer = admin.post("/v1/data/posts", content=content, timeout=10)
            details = refusal(answer, 400, "data/validation-error")["details"]
            assert 1 <= len(details) <= 100

    def test_error_answers_stay_small(self, admin: httpx.Client) -> None:
        long = "n" * 60_000
        for answer in (
            admin.get(f"/v1/data/{long}"),
            admin.get(f"/v1/data/plain?sortBy={long}"),
            admin.post("/v1/data/plain", json={"$" + "x" * 1_000_000: 1}),
            admin.post("/v1/data/plain", json={"a": {"$" + "x" * 1_000_000: 1}}),
            admin.post(
                "/v1/data/plain",
                content=b'{"' + b"x" * 100_000 + b'":' + b"[" * 99 + b"]" * 99 + b"}",
            ),
            admin.post("/v1/data/posts", json={"title": "x" * 1_000_000}),
            admin.get("/v1/data/plain", params={"andFilters": '{"$' + "x" * 30_000 + '":1}'}),
            admin.get("/v1/data/plain", params={"andFilters": '{"a":{"$' + "x" * 30_000 + '":1}}'}),
            admin.get(
                "/v1/data/plain", params={"andFilters": f'{{"id":1,"createdAt":"{long[:9000]}"}}'}
            ),
        ):
            assert answer.status_code in (400, 404)
            assert len(answer.content) < 10_000


class TestDefaults:
    def test_nobody_is_there_before_somebody_signs_up(self, server: RunningServer) -> None:
        made = json.loads(server.bkend("init", "--env", "fresh", "--json").stdout)
        with server.client(made["publishableKey"]) as client:
            for email in ("admin@example.com", "admin", "root@localhost", "owner@people.example"):
                body = {"email": email, "password": "admin1234"}
                assert client.post("/v1/auth/email/signin", json=body).status_code in (400, 401)

    def test_management_is_not_open(self, bare: httpx.Client, callers: Callers) -> None:
        for name in ("no key", "anonymous", "admin", "secret"):
            headers = callers.headers[name]
            for path in ("/manage/v1/projects", "/manage/v1/organizations"):
                assert bare.get(path, headers=headers).status_code == 401
            assert bare.get("/mcp", headers=headers).status_code == 404

    @pytest.mark.parametrize("path", ["/console/", "/docs/", "/docs/guides/data"])
    def test_pages_carry_no_script_of_others(self, bare: httpx.Client, path: str) -> None:
        answer = bare.get(path, headers={"Host": 'x"><script>alert(1)</script>'})
        assert "<script>alert(1)" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy or "default-src 'self'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"

    async def test_one_bad_background_task_harms_nothing(self) -> None:
        failures: list[BaseException] = []
        background, done = Background(failures.append), asyncio.Event()

        async def fail() -> None:
            raise RuntimeError("bad")

        async def work() -> None:
            done.set()

        background.start(fail())
        background.start(work())
        await background.drain()
        assert done.is_set()
        assert [str(error) for error in failures] == ["bad"]
