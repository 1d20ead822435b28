"""Whatever comes in, it is never a 5xx and always JSON (design: promises)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bkend.tables.indexes import check_indexes
from bkend.tables.schema import canonical_schema
from bkend.tables.service import Definition
from tests.asgi import Answer, InProcess, in_process

COLUMNS = {
    "title": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]*$"},
    "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
    "count": {"type": "integer", "minimum": -5},
    "price": {"type": "number"},
    "due": {"type": "date"},
    "tags": {"type": "array", "items": {"type": "date"}, "maxItems": 3},
    "address": {"type": "object", "properties": {"city": {"type": "string", "required": True}}},
    "slug": {"type": "string", "unique": True},
    "any": {"type": "mixed"},
}
INDEXES = [
    {"name": "price", "fields": {"price": 1}},
    {"name": "both", "fields": {"kind": 1, "address.city": -1}},
]
OPERATORS = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$x"]


def cases(number: int) -> settings:
    """The same cases in every run."""
    return settings(
        derandomize=True,
        max_examples=number,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@dataclass(frozen=True)
class Target:
    """The application on a loop of its own."""

    loop: asyncio.AbstractEventLoop
    opened: InProcess

    def call(self, method: str, path: str, **request: Any) -> Answer:
        """A request, by default with the secret key; its answer must not be a server's fault."""
        request.setdefault("key", self.opened.made.secret_key)
        answer = self.loop.run_until_complete(self.opened.call(method, path, **request))
        assert answer.status < 500, answer
        assert answer.headers["x-request-id"]
        if answer.status >= 400 and answer.body:
            body = answer.json()
            assert body["statusCode"] == answer.status
            assert body["code"] == body["error"]["code"]
        return answer


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One table with every type of column, and some rows."""
    with asyncio.Runner() as runner:
        opening = in_process(tmp_path_factory.mktemp("fuzz") / "data", log_level="error")
        opened = runner.run(opening.__aenter__())
        schema = canonical_schema(COLUMNS)
        definition = Definition("t", schema, check_indexes(INDEXES, schema))
        services = runner.run(opened.core.environment("app", "dev"))
        runner.run(services.tables.create(definition))
        found = Target(runner.get_loop(), opened)
        for row in ({}, {"price": 1, "tags": ["2025-01-15"]}, {"any": [{"a": [1, None]}, "x"]}):
            assert found.call("POST", "/v1/data/t", body=json.dumps(row).encode()).status == 201
        yield found
        runner.run(opening.__aexit__(None, None, None))


names = st.sampled_from([*COLUMNS, "id", "_id", "createdAt", "createdBy", "address.city", "any.a"])
odd_text = st.text(st.characters(codec=None), max_size=8)  # half surrogate pairs too
paths = st.one_of(names, odd_text, st.lists(odd_text, max_size=12).map(".".join))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, -(2**63) - 1, 2**64, 10**40]),
    st.floats(allow_nan=True),
    odd_text,
    st.sampled_from(["2025-01-15", "2025-01-15T10:30:00+02:00", "a", "", "0"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(paths, inner, max_size=4),
    max_leaves=6,
)
operands = st.one_of(
    values, st.dictionaries(st.sampled_from(OPERATORS) | odd_text, values, max_size=3)
)
conditions = st.dictionaries(paths, operands, max_size=4)
filters = st.one_of(conditions, st.lists(conditions, max_size=4), values)


def as_json(value: Any) -> bytes:
    """The value as JSON, with NaN and half surrogate pairs as clients may well send them."""
    return json.dumps(value).encode()


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with a piece cut out, doubled or overwritten, or as they are."""
    text = draw(whole)
    if draw(st.booleans()):
        return text
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text[:start] + draw(st.binary(max_size=4)) + text[end:]


parameter_names = st.sampled_from(
    [
        *("page", "limit", "offset", "sortBy", "sortDirection", "sort", "select", "fields"),
        *("andFilters", "orFilters", "search", "searchType", "select[]", "filter[a]", "x"),
    ]
)
parameter_values = st.one_of(
    broken(filters.map(as_json)),
    paths.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.integers().map(lambda number: str(number).encode()),
    st.sampled_from([b"asc", b"desc", b"a:desc,-b,+c", b"1", b"100", b"\x00", b"9" * 5000]),
    st.binary(max_size=12),
)
query_strings = st.one_of(
    st.lists(st.tuples(parameter_names, parameter_values), max_size=4).map(
        lambda pairs: "&".join(f"{name}={quote_from_bytes(v)}" for name, v in pairs).encode()
    ),
    st.binary(max_size=60),
)


@cases(600)
@given(query=query_strings)
@example(query=b"andFilters=%7B%22$%5Cud800%22:1%7D")
@example(query=b"andFilters=%7B%22a%22:%7B%22$%5Cud800%22:1%7D%7D")
@example(query=b"limit=" + b"9" * 5000)
def test_lists_survive_any_query(target: Target, query: bytes) -> None:
    answer = target.call("GET", "/v1/data/t", query=query)
    assert answer.status in (200, 400)
    if answer.status == 200:
        found = answer.json()
        assert 0 <= len(found["items"]) <= found["pagination"]["limit"] <= 100


@cases(120)
@given(filters=st.tuples(filters, filters), sort=paths, direction=st.sampled_from(["asc", "desc"]))
def test_filters_are_answered_alike_whichever_way_they_are_asked(
    target: Target, filters: tuple[Any, Any], sort: str, direction: str
) -> None:
    first, second = (quote_from_bytes(as_json(one)) for one in filters)
    by = quote_from_bytes(sort.encode("utf-8", "surrogatepass"))
    base = f"sortBy={by}&sortDirection={direction}&limit=2&orFilters={first}&andFilters="

    def ids(extra: str) -> list[str] | None:
        found: list[str] = []
        for page in (1, 2, 3):
            query = f"{base}{extra}&page={page}".encode()
            answer = target.call("GET", "/v1/data/t", query=query)
            if answer.status != 200:
                return None
            found += [item["id"] for item in answer.json()["items"]]
        return found

    narrowed, wide = ids(second), ids("%7B%7D")
    if narrowed is not None and wide is not None:
        assert set(narrowed) <= set(wide), "a filter can only narrow"
        assert len(set(wide)) == len(wide)


bodies = st.one_of(
    broken(st.dictionaries(names | odd_text, values, max_size=5).map(as_json)),
    broken(st.lists(st.dictionaries(names, values, max_size=3) | values, max_size=3).map(as_json)),
    st.binary(max_size=40),
)


@cases(400)
@given(body=bodies, parts=st.integers(1, 3))
def test_creates_survive_any_body(target: Target, body: bytes, parts: int) -> None:
    size = max(1, -(-len(body) // parts))
    chunks = [body[place : place + size] for place in range(0, len(body), size)] or [b""]
    answer = target.call("POST", "/v1/data/t", body=chunks)
    assert answer.status in (201, 400, 409)
    if answer.status == 201:
        made = answer.json()
        for record in made if isinstance(made, list) else [made]:
            path = f"/v1/data/t/{record['id']}"
            assert target.call("GET", path).json() == record
            assert target.call("DELETE", path).status == 200


@cases(400)
@given(body=bodies)
def test_updates_survive_any_body(target: Target, body: bytes) -> None:
    id = target.call("GET", "/v1/data/t", query=b"limit=1").json()["items"][0]["id"]
    before = target.call("GET", f"/v1/data/t/{id}")
    answer = target.call("PATCH", f"/v1/data/t/{id}", body=body)
    assert answer.status in (200, 400, 409)
    after = target.call("GET", f"/v1/data/t/{id}")
    assert after.body == (answer.body if answer.status == 200 else before.body)
    assert after.json()["createdAt"] == before.json()["createdAt"]


path_texts = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from(["..", ".", "", "v1", "data", "t", "%2F", "\x00", "auth", "users"]))
    .map("/".join),
)  # fmt: skip


@cases(800)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "X", ""]),
    prefix=st.sampled_from(["/v1/data/t/", "/v1/data/", "/v1/", "/v1/auth/", "/", ""]),
    path=path_texts,
    query=st.binary(max_size=10),
    secret=st.booleans(),
)
def test_any_path_is_answered(
    target: Target, method: str, prefix: str, path: str, query: bytes, secret: bool
) -> None:
    body = b"{}" if method in ("POST", "PATCH") else b""
    sent = {} if secret else {"key": None}
    target.call(method, prefix + path, query=query, body=body, **sent)


header_names = st.sampled_from(
    [
        *("authorization", "x-api-key", "origin", "x-forwarded-for", "content-type"),
        *("content-length", "host", "user-agent", "accept", "cookie"),
    ]
)


@cases(400)
@given(
    headers=st.lists(
        st.tuples(header_names, st.text(st.characters(max_codepoint=255), max_size=20)), max_size=3
    ),
    path=st.sampled_from(["/v1/data/t", "/v1/auth/me", "/v1/auth/email/signin", "/metrics", "/"]),
    token=st.binary(max_size=20),
)
def test_any_headers_are_answered(
    target: Target, headers: list[tuple[str, str]], path: str, token: bytes
) -> None:
    sent = [*headers, ("authorization", f"Bearer {token.decode('latin-1')}")]
    for method in ("GET", "POST"):
        body = b'{"email":"a","password":"b"}'
        target.call(method, path, headers=sent, body=body, key=None)
