"""Signed addresses: the same as the S3 library's, and fast."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from bkend.clock import SystemClock
from bkend.objects.s3_url import Credentials, S3Address
from bkend.objects.signing import QuerySigner

NOON = 1_750_000_000_000
KEYS = ["a", "a/b.png", "a b/ü€🎉", "a+b&c=d?e#f", "!$'()*,;:@[]~", "a%2Fb", 'q"<x>|^`{}']
HEADERS: list[dict[str, str]] = [{}, {"content-length": "123"}]
QUERIES: list[dict[str, str]] = [
    {},
    {"partNumber": "7", "uploadId": "a_b.c~d-e+f/g="},
    {
        "response-cache-control": "private, no-store",
        "response-content-disposition": "attachment; filename*=UTF-8''%C3%BC%20x.png",
        "response-content-type": "text/plain; charset=utf-8",
    },
]


class Standing:
    """A clock that is set by hand."""

    now = NOON

    def now_ms(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Standing:
    return Standing()


def theirs(
    method: str, address: str, headers: dict[str, str], token: str | None, at: int, seconds: int
) -> str:
    """The address as botocore signs it."""
    request = AWSRequest(method, address, headers=dict(headers))
    request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at / 1000))
    auth: Any = S3SigV4QueryAuth(
        BotoCredentials("AKID", "se/cr+et", token), "s3", "eu-central-1", expires=seconds
    )
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return str(request.url)


def split(address: str) -> tuple[str, list[str]]:
    place, _, query = address.partition("?")
    return place, sorted(query.split("&"))


@pytest.mark.parametrize("token", [None, "to/ken=+"])
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("query", QUERIES)
def test_addresses_are_those_of_the_library(
    query: dict[str, str], headers: dict[str, str], token: str | None, clock: Standing
) -> None:
    signer = QuerySigner(Credentials("AKID", "se/cr+et", token), "eu-central-1", clock)
    address = S3Address("s3.example.com:9000", "bucket", signer._credentials, tls=False)
    for key in KEYS:
        clock.now = NOON
        for method in ("GET", "PUT"):
            ours = signer.sign(
                method,
                address.client_endpoint,
                address.path(key),
                seconds=900,
                query=query,
                headers=headers,
            )
            plain = f"http://s3.example.com:9000{address.path(key)}"
            if query:
                plain += "?" + urlencode(query, quote_via=quote, safe="-_.~")
            assert split(ours) == split(theirs(method, plain, headers, token, clock.now, 900))


def test_the_key_changes_with_the_day(clock: Standing) -> None:
    signer = QuerySigner(Credentials("AKID", "se/cr+et"), "eu-central-1", clock)
    place = "https://s3.example.com"
    for at in (NOON, NOON + 86_400_000, NOON + 1):
        clock.now = at
        ours = signer.sign("GET", place, "/b/k", seconds=60)
        assert split(ours) == split(theirs("GET", f"{place}/b/k", {}, None, at, 60))


def test_no_address_outlives_a_week(clock: Standing) -> None:
    signer = QuerySigner(Credentials("AKID", "secret"), "eu-central-1", clock)
    assert "X-Amz-Expires=604800&" in signer.sign("GET", "https://h", "/b/k", seconds=10_000_000)


def test_three_thousand_a_second() -> None:
    signer = QuerySigner(Credentials("AKID", "secret"), "eu-central-1", SystemClock())
    address = S3Address("s3.example.com", "bucket", signer._credentials)
    best = 0.0
    for _ in range(5):
        begun = time.process_time()
        for number in range(300):
            signer.sign(
                "PUT",
                address.client_endpoint,
                address.path(f"project/dev/files/2026/11/{number}.png"),
                seconds=900,
                headers={"content-length": "123456"},
            )
        best = max(best, 300 / (time.process_time() - begun))
    assert best > 3000
