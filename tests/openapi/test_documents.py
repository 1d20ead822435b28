"""The OpenAPI documents themselves: valid, whole, and about what they say they are about."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

PATHS = ("/openapi.json", "/manage/v1/openapi.json")


@pytest.fixture(params=PATHS)
def document(request: pytest.FixtureRequest, bare: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = bare.get(request.param).json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def test_each_is_valid(document: dict[str, Any]) -> None:
    validate(document)


@pytest.mark.parametrize(("path", "prefix"), [*zip(PATHS, ("/v1/", "/manage/v1/"), strict=True)])
def test_each_is_about_its_own_paths(bare: httpx.Client, path: str, prefix: str) -> None:
    paths = bare.get(path).json()["paths"]
    assert len(paths) > 40
    assert {found for found in paths if not found.startswith(prefix)} == set()


def test_every_success_has_a_shape(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        successes = [answer for status, answer in operation["responses"].items() if status < "300"]
        redirects = [status for status in operation["responses"] if "300" <= status < "400"]
        assert successes or redirects, name
        for answer in successes:
            for content in answer["content"].values():
                assert content["schema"], name


def test_every_refusal_is_named(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        refusals = {s: a for s, a in operation["responses"].items() if s >= "400"}
        assert "5XX" in refusals, name
        assert "4XX" not in refusals, name
        del refusals["414"]  # which may have no body
        for status, answer in refusals.items():
            schema = answer["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}, name
            assert status == "5XX" or answer["description"].startswith("`"), name


def test_every_body_says_what_it_holds(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["schema"], name


def test_reading_needs_no_token_against_forgery(bare: httpx.Client) -> None:
    found = bare.get("/manage/v1/openapi.json").json()
    listed = found["paths"]["/manage/v1/organizations"]
    assert listed["get"]["security"] == [{"managementToken": []}, {"session": []}]
    assert listed["post"]["security"] == [{"managementToken": []}, {"session": [], "csrf": []}]
    assert "security" not in found["paths"]["/manage/v1/session/login"]["post"]


def test_a_document_is_made_once(document: dict[str, Any], bare: httpx.Client) -> None:
    began = time.perf_counter()
    for path in PATHS:
        assert bare.get(path).status_code == 200
    assert time.perf_counter() - began < 1
