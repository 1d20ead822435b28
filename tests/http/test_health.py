"""`/healthz`, `/readyz`, `/metrics` (00 §2, §11)."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.answers import ok, refusal
from tests.asgi import in_process
from tests.servers import RunningServer


def test_healthz(bare: httpx.Client) -> None:
    assert ok(bare.get("/healthz", headers={"Cache-Control": "x"})) == {"status": "ok"}


def test_readyz_names_the_database(bare: httpx.Client) -> None:
    body = ok(bare.get("/readyz"))
    assert body["status"] == "ok"
    assert body["database"]["engine"] == "sqlite"
    assert body["database"].keys() == {"engine", "version"}


def test_neither_needs_nor_reads_a_key(bare: httpx.Client) -> None:
    for path in ("/healthz", "/readyz"):
        assert bare.get(path, headers={"X-API-Key": "nonsense"}).status_code == 200
        assert bare.head(path).status_code == 200


async def test_readiness_is_asked_of_the_database_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_process(tmp_path / "data") as opened:
        database, asked = opened.core.database, 0
        ping = database.ping

        async def count() -> None:
            nonlocal asked
            asked += 1
            await ping()

        monkeypatch.setattr(database, "ping", count)
        began = monotonic()
        for _ in range(20):
            assert (await opened.call("GET", "/readyz")).status == 200
        assert 1 <= asked <= 1 + (monotonic() - began)


class TestMetrics:
    def test_are_shown_on_loopback(self, server: RunningServer, bare: httpx.Client) -> None:
        with server.client() as client:
            client.get("/v1/data/posts/none")
        answer = bare.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        line = 'bkend_http_requests_total{method="GET",route="/v1/data/{table}/{id}",status="404"}'
        assert line in answer.text
        assert "bkend_http_request_duration_seconds_bucket" in answer.text

    @pytest.mark.parametrize("forwarded", ["203.0.113.1", "127.0.0.1", "::1", "", "nonsense"])
    def test_are_hidden_behind_a_proxy_that_is_not_trusted(
        self, bare: httpx.Client, forwarded: str
    ) -> None:
        answer = bare.get("/metrics", headers={"X-Forwarded-For": forwarded})
        refusal(answer, 404, "common/not-found")

    def test_are_shown_with_a_management_token(
        self, server: RunningServer, bare: httpx.Client
    ) -> None:
        headers = {"X-Forwarded-For": "203.0.113.1"}
        token = {"Authorization": f"Bearer {server.made['managementToken']}", **headers}
        assert bare.get("/metrics", headers=token).status_code == 200
        for wrong in (server.secret, "bt_" + "0" * 64, server.made["managementToken"][:-1]):
            refused = {"Authorization": f"Bearer {wrong}", **headers}
            refusal(bare.get("/metrics", headers=refused), 404, "common/not-found")
        as_key = {"X-API-Key": server.made["managementToken"], **headers}
        refusal(bare.get("/metrics", headers=as_key), 404, "common/not-found")

    def test_hold_no_secret_and_no_name_a_client_chose(
        self, server: RunningServer, bare: httpx.Client
    ) -> None:
        with server.client() as client:
            client.get("/v1/data/chosen-by-a-client/some-id?andFilters={}")
            client.request("CHOSEN", "/v1/chosen-by-a-client")
        text = bare.get("/metrics").text
        for secret in ("chosen", "CHOSEN", "some-id", server.key, server.secret):
            assert secret not in text
