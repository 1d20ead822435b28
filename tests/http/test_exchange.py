"""One exchange on a transport: body, bearer token, common headers, errors in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bkend.errors import ApiError, InternalError, MethodNotAllowed, PayloadTooLarge, RateLimited
from bkend.http.exchange import BODY_LIMIT, Exchange, error_body
from bkend.http.transports import AsgiTransport, Disconnected
from bkend.records.service import Records
from bkend.store import QueryTimeout, StoreUnavailable, UnknownCollection
from tests.asgi import Answer, InProcess, in_process

Sent = list[dict[str, Any]]


def exchange(
    *messages: dict[str, Any], headers: dict[str, str] | None = None, **scope: Any
) -> tuple[Exchange, Sent]:
    """An exchange that receives the messages, and the list of what it sends."""
    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    whole = {"method": "POST", "path": "/v1/x", "query_string": b"", "headers": pairs, **scope}
    return Exchange(AsgiTransport(whole, receive, send), "r1"), sent


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def refusals(sent: Sent) -> tuple[int, bytes | None]:
    """The status that was sent, and its `connection` header."""
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"connection")


async def test_a_refusal_waits_for_the_rest_of_the_body() -> None:
    here, sent = exchange(part(b"a", True), part(b"b"), headers={"content-length": "2"})
    await here.refuse(PayloadTooLarge())
    assert refusals(sent) == (413, None)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ([part(b"x" * 9_000_000, True)], {"transfer-encoding": "chunked"}),  # without end
        ([{"type": "http.disconnect"}], {"content-length": "5"}),  # cut off
        ([], {"content-length": "9000000"}),
        ([], {"content-length": "5", "expect": "100-continue"}),
    ],
    ids=["endless", "cut off", "announced", "expected"],
)
async def test_but_not_for_any_body(body: list[dict[str, Any]], headers: dict[str, str]) -> None:
    here, sent = exchange(*body, headers=headers)
    await here.refuse(PayloadTooLarge())
    assert refusals(sent) == (413, b"close")


async def test_nor_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bkend.http.exchange._READ_SECONDS", 0.01)
    here, sent = exchange(headers={"content-length": "5"})

    async def never() -> tuple[bytes, bool]:
        await asyncio.Event().wait()
        return b"", False

    monkeypatch.setattr(here.transport, "chunk", never)
    await here.refuse(PayloadTooLarge())
    assert refusals(sent) == (413, b"close")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([part(b"")], b""),
        ([part(b"abc")], b"abc"),
        ([part(b"a", True), part(b"b", True), part(b"c")], b"abc"),
        ([part(b"a", True), part(b"")], b"a"),
        ([{"type": "http.request"}], b""),
        ([part(b"x" * BODY_LIMIT)], b"x" * BODY_LIMIT),
    ],
)
async def test_body_is_joined(messages: list[dict[str, Any]], expected: bytes) -> None:
    assert await exchange(*messages)[0].body() == expected


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"x" * (BODY_LIMIT + 1))],
        [part(b"x" * BODY_LIMIT, True), part(b"x", True), part(b"")],
        [part(b"x" * BODY_LIMIT, True), part(b"x")],
    ],
)
async def test_long_body_is_refused_as_soon_as_it_is_known(messages: list[dict[str, Any]]) -> None:
    found, _ = exchange(*messages)
    with pytest.raises(PayloadTooLarge):
        await found.body()


async def test_declared_length_is_refused_before_anything_is_received() -> None:
    found, _ = exchange(headers={"content-length": str(BODY_LIMIT + 1)})
    with pytest.raises(PayloadTooLarge):
        await found.body()
    with pytest.raises(PayloadTooLarge):
        await exchange(headers={"content-length": "9" * 400})[0].receive()


@pytest.mark.parametrize("before", [[], [part(b"[]", True)]])
async def test_client_that_goes_away_has_sent_nothing(before: list[dict[str, Any]]) -> None:
    found, _ = exchange(*before, {"type": "http.disconnect"})
    with pytest.raises(Disconnected):
        await found.body()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearer   ", None),
        ("Bearer x", "x"),
        ("bearer x", "x"),
        ("BEARER  x ", "x"),
        ("Bearer pk_1", None),
        ("Bearer sk_1", None),
        ("Bearer bt_1", "bt_1"),
        ("Basic dXNlcg==", None),
        ("Bearerx", None),
        ("x", None),
    ],
)
def test_bearer(value: str | None, expected: str | None) -> None:
    headers = {} if value is None else {"authorization": value}
    assert exchange(headers=headers)[0].bearer == expected


async def test_answer_is_whole() -> None:
    found, sent = exchange()
    await found.answer(201, b'{"a":1}', [("x-more", "1")])
    assert sent == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [
                (b"content-type", b"application/json; charset=utf-8"),
                (b"content-length", b"7"),
                (b"cache-control", b"no-store"),
                (b"x-request-id", b"r1"),
                (b"x-more", b"1"),
            ],
        },
        {"type": "http.response.body", "body": b'{"a":1}'},
    ]
    assert found.status == 201


async def test_answer_to_head_has_the_headers_alone() -> None:
    found, sent = exchange(method="HEAD")
    await found.answer(200, b"{}")
    assert (b"content-length", b"2") in sent[0]["headers"]
    assert sent[1]["body"] == b""


async def test_refusal_names_the_rate_limit_once() -> None:
    found, sent = exchange()
    found.rate = (100, 7)
    await found.refuse(RateLimited(3, 100))
    headers = sent[0]["headers"]
    assert [value for name, value in headers if name == b"x-ratelimit-remaining"] == [b"0"]
    assert (b"retry-after", b"3") in headers


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            MethodNotAllowed("PUT", ("GET", "POST")),
            b'{"success":false,"statusCode":405,"code":"common/method-not-allowed",'
            b'"message":"PUT is not allowed here; use GET or POST",'
            b'"error":{"code":"common/method-not-allowed",'
            b'"message":"PUT is not allowed here; use GET or POST"}}',
        ),
        (
            PayloadTooLarge("é", details=[{"field": "f", "rule": "r", "message": "m"}]),
            '{"success":false,"statusCode":413,"code":"common/payload-too-large","message":"é",'
            '"error":{"code":"common/payload-too-large","message":"é",'
            '"details":[{"field":"f","rule":"r","message":"m"}]}}'.encode(),
        ),
        (
            InternalError(),
            b'{"success":false,"statusCode":500,"code":"common/internal-error",'
            b'"message":"Something went wrong on the server",'
            b'"error":{"code":"common/internal-error",'
            b'"message":"Something went wrong on the server"},"requestId":"r1"}',
        ),
    ],
)
def test_error_body(error: ApiError, expected: bytes) -> None:
    assert error_body(error, "r1") == expected


class TestFaults:
    """What the application makes of exceptions, on both lanes."""

    @pytest_asyncio.fixture
    async def opened(self, tmp_path: Path) -> AsyncIterator[InProcess]:
        async with in_process(tmp_path / "data", log_level="error") as opened:
            yield opened

    @pytest.fixture(params=["hot lane", "fixed lane"])
    def call(
        self,
        request: pytest.FixtureRequest,
        opened: InProcess,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[Exception], Awaitable[Answer]]:
        """A request during which the error is raised."""

        async def run(error: Exception) -> Answer:
            async def fail(*args: Any, **kwargs: Any) -> Any:
                raise error

            if request.param == "hot lane":
                monkeypatch.setattr(Records, "admit", fail)
                return await opened.call("GET", "/v1/data/x")
            monkeypatch.setattr(type(opened.core.database), "ping", fail)
            return await opened.call("GET", "/readyz")

        return run

    async def test_unexpected_one_is_a_500_that_says_nothing(
        self, call: Callable[[Exception], Awaitable[Answer]], capfd: pytest.CaptureFixture[str]
    ) -> None:
        answer = await call(RuntimeError("/secret/path SELECT password"))
        assert answer.status == 500
        assert answer.json()["code"] == "common/internal-error"
        assert answer.json()["requestId"] == answer.headers["x-request-id"]
        assert b"secret" not in answer.body
        assert b"Runtime" not in answer.body
        assert answer.headers["content-type"] == "application/json; charset=utf-8"

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (QueryTimeout("no answer within 10 s"), 503, "common/timeout"),
            (StoreUnavailable("/data/x.db: disk full"), 503, "common/unavailable"),
            (PayloadTooLarge(), 413, "common/payload-too-large"),
        ],
    )
    async def test_known_ones_have_their_code(
        self,
        call: Callable[[Exception], Awaitable[Answer]],
        error: Exception,
        status: int,
        code: str,
    ) -> None:
        answer = await call(error)
        assert (answer.status, answer.json()["code"]) == (status, code)
        assert b"/data/x.db" not in answer.body
        if code == "common/unavailable":
            assert int(answer.headers["retry-after"]) > 0

    async def test_table_dropped_during_the_request_is_not_found(
        self, opened: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def admit(*args: Any) -> Any:
            return None

        async def fail(*args: Any) -> Any:
            raise UnknownCollection("tbl_x")

        monkeypatch.setattr(Records, "admit", admit)
        monkeypatch.setattr(Records, "list", fail)
        answer = await opened.call("GET", "/v1/data/x")
        assert (answer.status, answer.json()["code"]) == (404, "data/table-not-found")

    async def test_address_over_its_limit_has_the_body_of_every_error(
        self, opened: InProcess
    ) -> None:
        answer = await opened.call("GET", "/v1/data/x", query=b"a" * 65_537)
        assert (answer.status, answer.json()["code"]) == (414, "common/uri-too-long")

    async def test_client_that_goes_away_gets_nothing_and_stores_nothing(
        self, opened: InProcess
    ) -> None:
        sent: Sent = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/auth/email/signup",
            "raw_path": b"/v1/auth/email/signup",
            "query_string": b"",
            "headers": [(b"x-api-key", (opened.made.publishable_key or "").encode())],
            "client": ("127.0.0.1", 1),
        }
        await opened.app(scope, receive, send)
        assert all(message.get("status", 400) >= 400 for message in sent)
