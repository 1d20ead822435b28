"""The response envelope of a project around 2xx bodies of `/v1` (00 §3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from bkend.http.envelope import enveloped
from tests.asgi import Answer, InProcess, in_process

PROJECT = "/manage/v1/projects/app"
TABLES = f"{PROJECT}/environments/dev/tables"


@pytest.mark.parametrize(
    ("body", "wrapped", "both"),
    [
        (b'{"a":1}', b'{"success":true,"data":{"a":1}}', b'{"success":true,"data":{"a":1},"a":1}'),
        (b"[1]", b'{"success":true,"data":[1]}', b'{"success":true,"data":[1]}'),
        (b"{}", b'{"success":true,"data":{}}', b'{"success":true,"data":{}}'),
        (
            b'{"success":true}',
            b'{"success":true,"data":{"success":true}}',
            b'{"success":true,"data":{"success":true}}',
        ),
        (
            b'{"id":"x","data":5,"n":1e22}',
            b'{"success":true,"data":{"id":"x","data":5,"n":1e22}}',
            b'{"success":true,"data":{"id":"x","data":5,"n":1e22},"id":"x",'
            b'"n":10000000000000000000000}',
        ),
        (
            b'{"in":{"data":1}}',
            b'{"success":true,"data":{"in":{"data":1}}}',
            b'{"success":true,"data":{"in":{"data":1}},"in":{"data":1}}',
        ),
    ],
)
def test_the_three_modes(body: bytes, wrapped: bytes, both: bytes) -> None:
    assert enveloped(body, "bare") == body
    assert enveloped(body, "wrapped") == wrapped
    assert enveloped(body, "both") == both


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path / "data") as found:
        yield found


async def manage(opened: InProcess, method: str, path: str, body: Any) -> Answer:
    headers = [("Authorization", f"Bearer {opened.made.management_token}")]
    return await opened.call(method, path, body=orjson.dumps(body), headers=headers, key="")


async def choose(opened: InProcess, mode: str) -> None:
    answer = await manage(opened, "PATCH", PROJECT, {"settings": {"responseEnvelope": mode}})
    assert answer.status == 200, answer.body
    assert answer.json()["settings"]["responseEnvelope"] == mode, "never around /manage/v1"


async def every_answer(opened: InProcess) -> list[tuple[str, Answer, Answer]]:
    """Calls of both lanes, each with its HEAD where there is one."""
    secret = opened.made.secret_key
    made = await opened.call("POST", "/v1/data/t", body=b'{"a":1}', key=secret)
    held = made.json()
    id = (held.get("data") or held)["id"]
    found = [("create", made, made)]
    for name, path in (("list", "/v1/data/t"), ("read", f"/v1/t/{id}"), ("spec", "/v1/t/spec")):
        answer = await opened.call("GET", path, key=secret)
        found.append((name, answer, await opened.call("HEAD", path, key=secret)))
    batch = await opened.call("POST", "/v1/data/t", body=b"[{},{}]", key=secret)
    found.append(("batch", batch, batch))
    deleted = await opened.call("DELETE", f"/v1/data/t/{id}", key=secret)
    found.append(("delete", deleted, deleted))
    body = orjson.dumps({"email": f"{id}@x.example", "password": "long enough", "name": "A"})
    signed_up = await opened.call("POST", "/v1/auth/email/signup", body=body)
    found.append(("sign-up", signed_up, signed_up))
    return found


@pytest.mark.parametrize("mode", ["bare", "wrapped", "both"])
async def test_every_success_is_enveloped_and_its_length_is_told(
    opened: InProcess, mode: str
) -> None:
    await manage(opened, "POST", TABLES, {"tableName": "t", "schema": {"a": "number"}})
    await choose(opened, mode)
    for name, answer, head in await every_answer(opened):
        assert 200 <= answer.status < 300, (name, answer.body)
        assert int(answer.headers["content-length"]) == len(answer.body), name
        assert head.headers["content-length"] == answer.headers["content-length"], name
        body = answer.json()
        if mode == "bare":
            assert not (isinstance(body, dict) and "data" in body), name
            continue
        assert body["success"] is True
        members = body.keys() - {"success", "data"}
        expected = set()
        if mode == "both" and isinstance(body["data"], dict):
            expected = body["data"].keys() - {"success", "data"}
        assert members == expected, name


async def test_refusals_are_never_enveloped(opened: InProcess) -> None:
    await choose(opened, "wrapped")
    for path in ("/v1/data/none", "/v1/auth/me", "/v1/auth/none"):
        body = (await opened.call("GET", path)).json()
        assert body["success"] is False
        assert "data" not in body


@pytest.mark.parametrize("mode", ["envelope", True, 1, ["bare"]])
async def test_other_modes_are_refused(opened: InProcess, mode: Any) -> None:
    answer = await manage(opened, "PATCH", PROJECT, {"settings": {"responseEnvelope": mode}})
    assert answer.status == 400
    assert answer.json()["error"]["details"][0]["field"] == "settings.responseEnvelope"
