"""Malformed filters, and how large one may be (20 §5, §10)."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from tests.answers import ok, problems, refusal
from tests.servers import RunningServer
from tests.wire import wire


def text(value: Any) -> str:
    return orjson.dumps(value).decode()


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("parameter", ["andFilters", "orFilters"])
@pytest.mark.parametrize(
    "filters",
    [
        *("{", "x", "5", "null", '"title"', "true", "{'a':1}", '{"a":1}}', '{"a":}', "[[]]"),
        *("[1]", "[null]", "[{}]", '[{"a":1},{}]', '{"a":NaN}', '{"a":Infinity}', '{"a":1e999}'),
        *('{"a":"\\ud800"}', '{"\\ud800":1}', '{"$\\ud800":1}', '{"a":{"$\\udfff":1}}'),
        *('{"a\\ud800":{"$eq":1,"b":2}}', '{"a":{"\\ud800":1}}'),
        "[" * 20_000,
        '{"a":' * 5000,
        '{"a":' + "9" * 5000 + "}",
    ],
    ids=lambda filters: filters[:24],
)
def test_malformed_filters_are_refused(admin: httpx.Client, parameter: str, filters: str) -> None:
    answer = admin.get("/v1/data/free", params={parameter: filters})
    inner = refusal(answer, 400, "data/validation-error")
    assert inner["details"][0]["field"] == parameter


def test_message_of_malformed_json_is_the_published_one(admin: httpx.Client) -> None:
    answer = admin.get("/v1/data/free", params={"andFilters": "{"})
    assert refusal(answer, 400, "data/validation-error")["message"] == "Invalid filter format"


@pytest.mark.parametrize(
    ("filters", "rule"),
    [
        ({"$or": [{"a": 1}]}, "operator"),
        ({"$and": []}, "operator"),
        ({"$where": "1"}, "operator"),
        ({"$expr": {}}, "operator"),
        ({"$": 1}, "operator"),
        ({"a": {"$foo": 1}}, "operator"),
        ({"a": {"$not": {"$eq": 1}}}, "operator"),
        ({"a": {"$elemMatch": {}}}, "operator"),
        ({"a": {"$size": 1}}, "operator"),
        ({"a": {"$": 1}}, "operator"),
        ({"a": {"$gt": 1, "b": 2}}, "operator"),
        ({"a": {"$in": 1}}, "operand"),
        ({"a": {"$in": "x"}}, "operand"),
        ({"a": {"$in": {"0": 1, "length": 1}}}, "operand"),
        ({"a": {"$in": None}}, "operand"),
        ({"a": {"$nin": True}}, "operand"),
        ({"a": {"$gt": [1]}}, "operand"),
        ({"a": {"$lt": {}}}, "operand"),
        ({"a": {"$gte": {"$gt": 1}}}, "operand"),
        ({"a": {"$exists": "true"}}, "operand"),
        ({"a": {"$exists": 2}}, "operand"),
        ({"a": {"$exists": None}}, "operand"),
        ({"a": {"$exists": []}}, "operand"),
        ({"": 1}, "path"),
        ({".": 1}, "path"),
        ({"a..b": 1}, "path"),
        ({"a.": 1}, "path"),
        ({"a.$b": 1}, "path"),
        ({"a\0": 1}, "path"),
    ],
    ids=lambda value: repr(value),
)
def test_filters_outside_the_language_are_refused(
    admin: httpx.Client, filters: Any, rule: str
) -> None:
    for parameter in ("andFilters", "orFilters"):
        for given in (filters, [filters]):
            answer = admin.get("/v1/data/free", params={parameter: text(given)})
            assert problems(answer) == [(parameter, rule)]


def test_operators_and_plain_keys_do_not_mix(admin: httpx.Client) -> None:
    for value in ({"$gt": 1, "b": 2}, {"b": 2, "$gt": 1}):
        answer = admin.get("/v1/data/free", params={"andFilters": text({"a": value})})
        refusal(answer, 400, "data/validation-error", "cannot be mixed")


def leaves(count: int) -> Any:
    return [{f"f{n}": n} for n in range(count)]


@pytest.mark.parametrize(
    ("parameter", "at", "over", "rule"),
    [
        ("andFilters", leaves(100), leaves(101), "maxConditions"),
        (
            "andFilters",
            {"a": {"$gt": 1}} | {f"f{n}": {"$gt": 1, "$lt": 9} for n in range(49)},
            {f"f{n}": {"$gt": 1, "$lt": 9} for n in range(51)},
            "maxConditions",
        ),
        ("orFilters", leaves(50), leaves(51), "maxAlternatives"),
        (
            "andFilters",
            {"a": {"$in": list(range(1000))}},
            {"a": {"$in": list(range(1001))}},
            "maxValues",
        ),
        (
            "andFilters",
            {"a": {"$nin": ["x"] * 1000}},
            {"a": {"$nin": ["x"] * 1001}},
            "maxValues",
        ),
        ("andFilters", {".".join("abcdefghij"): 1}, {".".join("abcdefghijk"): 1}, "path"),
        ("andFilters", {"a" * 256: 1}, {"a" * 257: 1}, "path"),
        ("andFilters", {"a": nested(8)}, {"a": nested(9)}, "depth"),
        ("andFilters", {"a": {"$in": [nested(8)]}}, {"a": {"$in": [nested(9)]}}, "depth"),
        ("andFilters", {"a": "x" * 32_760}, {"a": "x" * 32_761}, "maxLength"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits(admin: httpx.Client, parameter: str, at: Any, over: Any, rule: str) -> None:
    ok(admin.get("/v1/data/free", params={parameter: text(at)}))
    answer = admin.get("/v1/data/free", params={parameter: text(over)})
    assert problems(answer) == [(parameter, rule)]


def test_leaves_count_over_all_filters_together(admin: httpx.Client) -> None:
    query = {"andFilters": text(leaves(60)), "orFilters": text(leaves(40))}
    ok(admin.get("/v1/data/free", params=query))
    query["orFilters"] = text(leaves(41))
    assert problems(admin.get("/v1/data/free", params=query)) == [("orFilters", "maxConditions")]


def test_as_many_values_as_an_address_can_hold_are_answered(server: RunningServer) -> None:
    values = {f"f{n}": {"$in": [1] * 1000} for n in range(16)}
    filters = text(values).replace('"', "%22")
    target = f"/v1/data/free?andFilters={filters}&andFilters={filters}"
    assert 60_000 < len(target) < 65_000
    assert wire(server, "GET", target, key=server.secret).status == 200


def test_deepest_and_oddest_paths_are_answered(admin: httpx.Client) -> None:
    deep = [{".".join([f"{n:x}", *"1b3d5f7h9"]): {"$ne": [n]}} for n in range(100)]
    ok(admin.get("/v1/data/free", params={"andFilters": text(deep)}))
    odd = [{f"é {n}.x": {"$nin": [n, "x", None, [n]]}} for n in range(50)]
    ok(admin.get("/v1/data/free", params={"orFilters": text(odd)}))


def test_literals_at_their_depth_still_compare(admin: httpx.Client) -> None:
    ok(admin.post("/v1/data/free", json={"name": "deep literal", "a": nested(8)}), 201)
    answer = admin.get("/v1/data/free", params={"andFilters": text({"a": nested(8)})})
    assert [item["name"] for item in ok(answer)["items"]] == ["deep literal"]
