"""What every answer must look like, asked in one place."""

from __future__ import annotations

import re
from typing import Any

import httpx

JSON_TYPE = "application/json; charset=utf-8"
_CODE = re.compile(r"[a-z]+/[a-z0-9-]+\Z")


def refusal(answer: httpx.Response, status: int, code: str, *fragments: str) -> dict[str, Any]:
    """Require the one error body (00 §3) with the status, the code and, in its text, the
    fragments; the inner `error` is returned."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    body = answer.json()
    inner: dict[str, Any] = body["error"]
    assert inner["code"] == code, answer.text
    shape = {"success", "statusCode", "code", "message", "error"}
    assert body.keys() == (shape | {"requestId"} if status >= 500 else shape)
    assert inner.keys() - {"details"} == {"code", "message"}
    assert body["success"] is False
    assert body["statusCode"] == status
    assert body["code"] == code
    assert body["message"] == inner["message"]
    assert _CODE.match(code)
    assert inner["message"]
    for detail in inner.get("details", [{"field": "", "message": ""}]):
        assert detail.keys() >= {"field", "message"}
    assert inner.get("details") != [], "details only where something can be pointed at"
    for fragment in fragments:
        assert fragment in answer.text
    return inner


def problems(answer: httpx.Response, code: str = "data/validation-error") -> list[tuple[str, str]]:
    """Require a 400 that points at something; (field, rule) of each detail."""
    details = refusal(answer, 400, code)["details"]
    return [(detail["field"], detail["rule"]) for detail in details]


def ok(answer: httpx.Response, status: int = 200) -> Any:
    """Require success; the body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    return answer.json()


def names(answer: httpx.Response, field: str = "name") -> list[Any]:
    """One field of each listed record, in order."""
    return [item.get(field) for item in ok(answer)["items"]]
