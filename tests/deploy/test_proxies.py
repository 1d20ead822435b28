"""What an app does works through the proxies of the guide, and the server knows its clients."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.backdoor import make_key
from tests.cli.conftest import CommandLine, bkend
from tests.conftest import TABLES
from tests.deploy.proxies import KINDS, Kind, Proxied, program, proxied
from tests.http.test_rate_limit import DATA, drain
from tests.servers import RunningServer, free_port

__all__ = ["bkend"]

BURST = 40
ONE, OTHER = "127.0.0.2", "127.0.0.3"
"""Addresses of clients: the whole network 127.0.0.0/8 is this machine."""
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module", params=KINDS)
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    kind: Kind = request.param
    program(kind)
    folder = tmp_path_factory.mktemp(kind)
    environment = {"BKEND_RATE_LIMIT": f"10/{BURST}", "BKEND_TRUSTED_PROXIES": "127.0.0.1"}
    server = RunningServer(folder, environment=environment)
    server.init()
    server.apply(TABLES)
    with proxied(kind, folder, server) as offered:
        yield offered
    assert server.stop() == 0


def uploaded(front: Proxied, body: bytes, **given: Any) -> Any:
    """A public file, uploaded and registered through the proxy."""
    wanted = {"filename": "a.bin", "contentType": "", "visibility": "public", **given}
    with front.client(front.server.secret) as client:
        made = client.post("/v1/files/presigned-url", json=wanted).json()
        assert made["url"].startswith(f"{front.url}/raw/")
        with front.client() as bare:
            del bare.headers["X-API-Key"]
            put = bare.put(made["url"], content=body)
            assert put.status_code == 200, put.text
        return client.post(f"/v1/files/{made['fileId']}/complete").json()


def test_signing_up_and_in(front: Proxied) -> None:
    email = {"email": "ada@example.com", "password": "correct horse battery", "name": "Ada"}
    with front.client() as client:
        assert client.post("/v1/auth/email/signup", json=email).status_code == 201
        answer = client.post("/v1/auth/email/signin", json=email)
        assert answer.status_code == 200, answer.text
    with front.client(token=answer.json()["accessToken"]) as client:
        assert client.get("/v1/auth/me").json()["email"] == "ada@example.com"
        made = client.post("/v1/data/posts", json={"title": "Hello"})
        assert made.status_code == 201
        assert client.get(f"/v1/data/posts/{made.json()['id']}").json() == made.json()


def test_a_file_of_several_megabytes_and_a_range_of_it(front: Proxied) -> None:
    body = b"".join(n.to_bytes(4, "big") for n in range(2 * 1024 * 1024))
    file = uploaded(front, body, fileSize=len(body))
    assert file["size"] == len(body)
    assert file["url"].startswith(f"{front.url}/raw/")
    with front.client() as client:
        whole = client.get(file["url"])
        assert whole.content == body
        middle = client.get(file["url"], headers={"Range": "bytes=5000000-5000009"})
        assert (middle.status_code, middle.content) == (206, body[5000000:5000010])
        assert middle.headers["content-range"] == f"bytes 5000000-5000009/{len(body)}"
        again = client.get(file["url"], headers={"If-None-Match": whole.headers["etag"]})
        assert again.status_code == 304


def test_a_body_that_is_too_large_is_refused_by_the_server_itself(front: Proxied) -> None:
    with front.client(front.server.secret) as client:
        wanted = {"filename": "a.bin", "contentType": "", "fileSize": 600_000}
        made = client.post("/v1/files/presigned-url", json=wanted).json()
        refused = client.put(made["url"], content=b"x" * 600_001)
        assert (refused.status_code, refused.json()["code"]) == (413, "file/file-too-large")


def test_images(front: Proxied) -> None:
    file = uploaded(front, PNG, filename="a.png", contentType="image/png")
    with front.client() as client:
        image = client.get(f"/img/fit-in/10x10/{file['key']}")
        assert (image.status_code, image.headers["content-type"]) == (200, "image/png")


def test_a_long_address_passes(front: Proxied) -> None:
    with front.client() as client:
        long = client.get(DATA, params={"limit": "1", "of-the-app": "x" * 60_000})
        assert (long.status_code, long.json()["pagination"]["limit"]) == (200, 1)


def test_what_is_large_and_text_is_compressed(front: Proxied) -> None:
    with front.client() as client:
        page = client.get("/docs/guides/data", headers={"Accept-Encoding": "gzip"})
        assert page.headers.get("content-encoding") == "gzip"
        assert "<h1" in page.text


def test_a_preflight_is_answered_by_the_server(front: Proxied) -> None:
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    with front.client() as client:
        answer = client.options(DATA, headers=asked)
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]


def test_each_address_has_a_limit_of_its_own_and_cannot_choose_it(front: Proxied) -> None:
    key = make_key(front.server, "publishable")["key"]
    with front.client(key, address=ONE) as one, front.client(key, address=OTHER) as other:
        numbers = iter(range(1, 250))

        def call() -> httpx.Response:
            forged = {"X-Forwarded-For": f"203.0.113.{next(numbers)}"}
            return one.get(DATA, headers=forged)

        answers = drain(call)
        assert len(answers) <= 100
        fresh = other.get(DATA, headers={"X-Forwarded-For": ONE})
        assert fresh.status_code == 200
        assert int(fresh.headers["x-ratelimit-remaining"]) == BURST - 1


def test_metrics_are_not_for_strangers(front: Proxied) -> None:
    if front.kind == "caddy":
        pytest.skip("Caddy believes no address that a client writes, and a test has no strange one")
    stranger = {"X-Forwarded-For": "203.0.113.9"}
    with front.client() as client:
        assert client.get("/healthz", headers=stranger).status_code == 200
        assert client.get("/metrics", headers=stranger).status_code == 404


def test_the_set_up_link_leads_through_the_proxy_and_its_cookie_is_for_tls_alone(
    front: Proxied,
) -> None:
    [token] = re.findall(rf"{front.url}/console/setup\?token=(\S+)", front.server.log)
    account = {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "password": "four brown horses",
        "organization": {"name": "Analytical Engines"},
    }
    with front.client() as client:
        assert client.get("/manage/v1/setup").json()["tokenRequired"] is True
        assert client.post("/manage/v1/setup", json=account).status_code >= 400
        made = client.post("/manage/v1/setup", json={**account, "token": token})
        assert made.status_code == 201, made.text
        assert "; secure" in made.headers["set-cookie"].lower()


def test_the_doctor_tells_whether_the_address_leads_to_the_server(
    front: Proxied, bkend: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BKEND_DATA", str(front.server.data))
    monkeypatch.setenv("BKEND_PORT", str(front.server.port))
    monkeypatch.setenv("BKEND_PUBLIC_URL", front.url)

    def addresses() -> Any:
        checks = bkend("doctor", "--json").json["checks"]
        return next(one for one in checks if one["name"] == "addresses")

    found = addresses()
    assert (found["result"], "CERTIFICATE" in found["message"].upper()) == ("warning", True)
    monkeypatch.setenv("SSL_CERT_FILE", str(front.certificate.path))
    assert addresses()["result"] == "ok"
    monkeypatch.setenv("BKEND_PUBLIC_URL", f"http://localhost:{free_port()}")
    found = addresses()
    assert found["result"] == "warning"
    assert "does not lead to it" in found["message"]


def test_plain_http_leads_to_tls(front: Proxied) -> None:
    if front.kind == "caddy":
        pytest.skip("Caddy does so on port 80, which a test does not take")
    answer = httpx.get(f"{front.plain_url}/v1/data/posts?limit=1", verify=False)
    assert answer.status_code == 301
    assert answer.headers["location"].endswith("/v1/data/posts?limit=1")
    assert answer.headers["location"].startswith("https://")
