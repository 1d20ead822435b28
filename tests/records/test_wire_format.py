"""The exact bytes of answers (20 §1): what published clients and scripts grep for."""

from __future__ import annotations

import re

import pytest

from tests.servers import RunningServer
from tests.wire import WireAnswer, wire

ID = rb"[0-9a-f]{24}"
TIME = rb"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"


def create(server: RunningServer, body: bytes, table: str = "free") -> WireAnswer:
    answer = wire(server, "POST", f"/v1/data/{table}", body, key=server.secret)
    assert answer.status == 201, answer.body
    return answer


def test_record_is_compact_with_id_first_and_times_last(server: RunningServer) -> None:
    answer = create(server, b'{ "b" : [ 1 , { "x" : null } ] ,\n "a" : "c , d : e" }')
    assert re.fullmatch(
        rb'\{"id":"' + ID + rb'","b":\[1,\{"x":null\}\],"a":"c , d : e","createdBy":"",'
        rb'"createdAt":"(' + TIME + rb')","updatedAt":"\1"\}',
        answer.body,
    )


def test_list_is_compact(server: RunningServer) -> None:
    made = create(server, b'{"name":"only"}', "defaults")
    target = "/v1/data/defaults?limit=1&andFilters=%7B%22name%22:%22only%22%7D"
    answer = wire(server, "GET", target)
    assert answer.body == (
        b'{"items":[' + made.body + b'],"pagination":{"total":1,"page":1,"limit":1,"totalPages":1,'
        b'"hasNext":false,"hasPrev":false,"hasNextPage":false,"hasPrevPage":false}}'
    )


def test_next_page_is_announced_as_the_export_script_greps_it(server: RunningServer) -> None:
    for _ in range(2):
        create(server, b'{"name":"grep"}')
    target = "/v1/data/free?page=1&limit=1&andFilters=%7B%22name%22:%22grep%22%7D"
    assert b'"hasNext":true' in wire(server, "GET", target).body


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        (b"5", b"5"),
        (b"5.0", b"5"),
        (b"-5.00", b"-5"),
        (b"0.0", b"0"),
        (b"-0.0", b"0"),
        (b"1e2", b"100"),
        (b"1E+2", b"100"),
        (b"12e-1", b"1.2"),
        (b"100e-2", b"1"),
        (b"1e20", b"100000000000000000000"),
        (b"-1e20", b"-100000000000000000000"),
        (b"1e22", b"10000000000000000000000"),
        (b"9007199254740993", b"9007199254740993"),
        (b"9223372036854775807", b"9223372036854775807"),
        (b"-9223372036854775808", b"-9223372036854775808"),
        (b"9223372036854775808", b"9223372036854775808"),
        (b"18446744073709551615", b"18446744073709551615"),
        (b"0.1", b"0.1"),
        (b"1e-7", b"1e-7"),
        (b'[1.0,[2e1,{"x":3.0}]]', b'[1,[20,{"x":3}]]'),
    ],
)
@pytest.mark.parametrize("field", [b"price", b"undeclared"])
def test_integral_numbers_carry_no_fraction(
    server: RunningServer, field: bytes, sent: bytes, written: bytes
) -> None:
    if field == b"price" and sent.startswith(b"["):
        return
    expected = b'"' + field + b'":' + written + b","
    body = b'{"title":"abc","' + field + b'":' + sent + b"}"
    made = create(server, body, "typed")
    assert expected in made.body
    id = re.match(rb'\{"id":"([^"]+)"', made.body)
    assert id
    path = f"/v1/data/typed/{id[1].decode()}"
    assert expected in wire(server, "GET", path, key=server.secret).body
    selected = wire(server, "GET", f"{path}?select={field.decode()}", key=server.secret)
    assert expected in selected.body
    patch = b'{"' + field + b'":' + sent + b"}"
    assert expected in wire(server, "PATCH", path, patch, key=server.secret).body
    listed = f"/v1/data/typed?limit=1&andFilters=%7B%22id%22:%22{id[1].decode()}%22%7D"
    assert expected in wire(server, "GET", listed, key=server.secret).body


@pytest.mark.parametrize(
    "sent",
    [
        "é".encode(),
        "日本語 한국어 😀".encode(),
        b"a/b<c>&'`",
        "\u2028\u2029\u00a0\ufeff".encode(),
        b'\\"\\\\\\n',
    ],
)
def test_text_is_not_escaped_more_than_json_needs(server: RunningServer, sent: bytes) -> None:
    assert b'"name":"' + sent + b'"' in create(server, b'{"name":"' + sent + b'"}').body


def test_escapes_are_resolved(server: RunningServer) -> None:
    body = create(server, rb'{"name":"\u00e9\ud83d\ude00\/"}').body
    assert '"name":"é😀/"'.encode() in body


def test_ids_ascend_in_the_order_of_creation(server: RunningServer) -> None:
    found = [create(server, b"{}").body[7:31] for _ in range(20)]
    assert all(re.fullmatch(ID, id) for id in found)
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/v1/data/defaults", None, 200),
        ("GET", "/v1/data/defaults/none", None, 404),
        ("POST", "/v1/data/free", b"{}", 201),
        ("POST", "/v1/data/free", b"{", 400),
        ("PUT", "/v1/data/free", b"{}", 405),
    ],
)
def test_every_answer_has_the_same_headers(
    server: RunningServer, method: str, target: str, body: bytes | None, status: int
) -> None:
    answer = wire(server, method, target, body, key=server.secret)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert re.fullmatch(r"[0-9a-f]{20}", answer.headers["x-request-id"])
