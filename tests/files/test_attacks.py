"""How systems like this one were broken, tried here (attacks 34 to 39)."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bkend.files.signing import FileSigner, Permit
from bkend.secret import Previous, Ring, Secret
from tests.auth.conftest import FakeClock
from tests.files.conftest import TEXT, Archive, code

pytestmark = pytest.mark.asyncio(loop_scope="module")

DENIED = (403, "file/access-denied")
LOGIN = (401, "common/authentication-required")
NOT_FOUND = (404, "file/not-found")
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
XHTML = b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>"


async def test_attack_34_no_address_that_is_sent_is_ever_called(archive: Archive) -> None:
    """Names, keys and pictures given as addresses are stored or refused, never fetched."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/latest/meta-data"
        named = {"filename": url, "contentType": "image/png"}
        found = await archive.refused("ada", "POST", "presigned-url", named)
        assert found == (400, "file/invalid-name")
        body: Any = {"s3Key": url, "originalName": "a", "mimeType": "image/png", "size": 1}
        found = await archive.refused("ada", "POST", "", body)
        assert found == (400, "file/invalid-path")
        file = await archive.file(
            metadata={"description": url, "custom": {"webhook": url}}, visibility="public"
        )
        await archive.ok("ada", "POST", f"{file['id']}/download-url", {"url": url})
        me = archive.ids["ada"]
        found = await archive.refused("ada", "PATCH", f"/v1/users/{me}/avatar", {"s3Key": url})
        assert found == (403, "user/forbidden")
        changed = await archive.ok("ada", "PATCH", f"/v1/users/{me}/profile", {"image": url})
        assert changed["image"] == url
        await archive.shown(url)
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize(
    "kind",
    [
        "image/svg+xml",
        "image/svg+xml; charset=utf-8",
        "image/anything+xml",
        "audio/x+xml",
        "video/xml",
        "image/xhtml+xml",
        "text/html",
        "text/xml",
        "application/xhtml+xml",
        "multipart/related",
        "message/rfc822",
        "application/octet-stream",
    ],
)
async def test_attack_35_what_may_hold_scripts_is_never_shown(archive: Archive, kind: str) -> None:
    """Inline only pictures that are not XML, audio, video, PDF, plain text; under a policy that
    runs nothing, whatever a browser makes of the bytes."""
    presigned = {"contentType": kind, "visibility": "public"}
    file = await archive.file(content=XHTML, presigned=presigned, mimeType=kind)
    for method in ("GET", "HEAD"):
        answer = await archive.http.request(method, f"/raw/{file['key']}")
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain;\n a=b",
        "text/plain\r\n;a=b",
        "text/plain;\u2003a=b",
        "text/plain; a=b\r\nX-Evil: 1",
        'text/plain; a="b\r\n"',
        "téxt/plain",
    ],
)
async def test_attack_35_a_type_cannot_bring_headers(archive: Archive, kind: str) -> None:
    body: Any = {"filename": "a.txt", "contentType": kind}
    found = await archive.refused("ada", "POST", "presigned-url", body)
    assert found == (400, "file/invalid-format")
    made = await archive.upload()
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": kind, "size": 1}
    assert await archive.refused("ada", "POST", "", body) == (400, "file/invalid-format")


@pytest.mark.parametrize(
    "key",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "..\\..\\secret",
        "a\u0000b",
        "%2e%2e/secret",
        "secret",
        "../secret",
        "avatars/../../secret",
        ".uploads/x",
        "C:\\secret",
        "",
        ".",
    ],
)
async def test_attack_36_a_key_that_leads_out_is_one_that_was_never_given(
    archive: Archive, key: str
) -> None:
    """The same for every call that takes a key; paths of `/raw` are in test_raw."""
    made = await archive.ok(
        "ada",
        "POST",
        "multipart/init",
        {"filename": "a", "contentType": "", "fileSize": 9},
    )
    body = {"s3Key": key, "originalName": "a", "mimeType": "a/b", "size": 1}
    assert await archive.refused("ada", "POST", "", body) == (400, "file/invalid-path")
    reference = {"key": key, "uploadId": made["uploadId"], "partNumber": 1, "parts": [{}]}
    for word in ("presigned-url", "complete", "abort"):
        assert await archive.refused("ada", "POST", f"multipart/{word}", reference) == NOT_FOUND
    for upload_id in (key, f"../{made['uploadId']}"):
        reference = {"key": made["key"], "uploadId": upload_id, "partNumber": 1}
        found = await archive.refused("ada", "POST", "multipart/presigned-url", reference)
        assert found == NOT_FOUND


async def test_attack_39_no_side_endpoint_forgets_who_asks(archive: Archive) -> None:
    """Every other way to a private file, its bytes or what is known of it."""
    file = await archive.file(originalName="hidden.txt", metadata={"alt": "hidden"})
    pending = await archive.upload()
    made = await archive.ok(
        "ada", "POST", "multipart/init", {"filename": "a", "contentType": "", "fileSize": 9}
    )
    reference = {"key": made["key"], "uploadId": made["uploadId"], "partNumber": 1, "parts": []}
    path = f"multipart/{made['uploadId']}"
    for who, refusal in (("bob", DENIED), ("guy", DENIED), ("anonymous", LOGIN)):
        for method, url, body in (
            ("GET", file["id"], None),
            ("GET", f"{file['id']}/download", None),
            ("GET", f"{file['id']}/download-url", None),
            ("POST", f"{file['id']}/download-url", None),
            ("POST", f"{file['id']}/complete", None),
            ("POST", f"{pending['fileId']}/complete", None),
            ("PATCH", f"{file['id']}/visibility", {"visibility": "public"}),
            ("PATCH", file["id"], {"sharedWith": [archive.ids["bob"]]}),
            ("DELETE", file["id"], None),
            ("POST", "multipart/presigned-url", reference),
            ("POST", "multipart/complete", reference),
            ("POST", f"{path}/part-url", {"partNumber": 1}),
            ("POST", f"{path}/complete", {"parts": []}),
            ("POST", "multipart/abort", reference),
            ("POST", f"{path}/abort", None),
        ):
            assert await archive.refused(who, method, url, body) == refusal, (who, method, url)
        for query in ("", "?search=hidden", f"?ownerId={archive.ids['ada']}", "?sortBy=size"):
            if who != "anonymous":
                assert await archive.listed(who, query) == [], (who, query)
        for url in (f"/v1/data/files/{file['id']}", "/v1/data/files?search=hidden"):
            assert (await archive.call(who, "GET", url)).status_code in (401, 403), (who, url)
    for method in ("GET", "HEAD"):
        answer = await archive.http.request(method, f"/raw/{file['key']}")
        assert answer.status_code == 403
    assert (await archive.ok("ada", "GET", file["id"]))["visibility"] == "private"


# -- signatures -----------------------------------------------------------------------------------


async def test_signatures_of_files_and_of_pictures_are_not_each_others(archive: Archive) -> None:
    me, core = archive.ids["ada"], archive.api.served.core
    picture = await archive.ok(
        "ada", "POST", f"/v1/users/{me}/avatar/upload-url", {"filename": "me.png"}
    )
    made = await archive.presign()
    of_picture = {k: v[0] for k, v in parse_qs(urlsplit(picture["url"]).query).items()}
    of_file = {k: v[0] for k, v in parse_qs(urlsplit(made["url"]).query).items()}
    environment = of_picture["environment"]
    assert of_picture.keys() == of_file.keys() | {"environment"}

    def at(key: str, **query: str) -> str:
        return f"http://bkend.test/raw/{key}?{urlencode(query)}"

    # An address that a file's signer would make for the picture's key, and the other way round.
    limit = 5 * 1024 * 1024
    for_key, _ = core.file_signer.sign(Permit("PUT", environment, picture["key"], limit), 900)
    picture_permit = Permit("PUT", environment, made["key"], 100 * 1024 * 1024, area="avatars")
    for_file, _ = core.file_signer.sign(picture_permit, 900)
    forged = (
        at(picture["key"], **of_file),
        at(picture["key"], **of_file, environment=environment),
        f"http://bkend.test/raw/{picture['key']}?{for_key}",
        f"http://bkend.test/raw/{picture['key']}?{for_key}&environment={environment}",
        at(made["key"], **of_picture),
        at(made["key"], expires=of_picture["expires"], signature=of_picture["signature"]),
        at(made["key"], **of_file, environment=environment),
        f"http://bkend.test/raw/{made['key']}?{for_file}",
        f"http://bkend.test/raw/{made['key']}?{for_file.replace('environment', 'x')}",
    )
    for url in forged:
        assert code(await archive.put(url, PNG, **{"content-type": "image/png"})) == DENIED, url
    assert (await archive.put(picture["url"], PNG, **{"content-type": "image/png"})).is_success
    assert (await archive.put(made["url"], TEXT)).is_success


class Rings:
    """Secrets that are replaced by hand."""

    def __init__(self, ring: Ring) -> None:
        self.now = ring

    def ring(self) -> Ring:
        return self.now

    def refresh(self) -> None:
        pass


async def test_after_a_leaked_secret_is_replaced_its_signatures_end_with_the_grace() -> None:
    clock, leaked, new = FakeClock(), Secret(b"l" * 32), Secret(b"n" * 32)
    permit = Permit("GET", "env", "p/dev/a.txt")
    rings = Rings(Ring(leaked))
    signer = FileSigner(rings, clock)
    query, _ = signer.sign(permit, 3600)
    fields: Any = dict(pair.split("=") for pair in query.split("&"))

    def accepted() -> bool:
        from bkend.files.signing import read_signature

        signature = read_signature(query)
        assert signature is not None
        assert signature.value == fields["signature"]
        return signer.accepts(permit, signature)

    assert accepted()
    rings.now = Ring(new, (Previous(leaked, clock.now + 1000),))
    assert accepted()
    clock.advance(1)
    assert not accepted()
    rings.now = Ring(new, (Previous(leaked, None),))  # configured for as long as it is there
    assert accepted()
