"""The sample page for files where the bytes go past the server, into a bucket."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.filing import FilesPage, files_site
from tests.browser.pictures import PICTURE
from tests.conftest import StartServer
from tests.s3 import S3Server

pytestmark = pytest.mark.browser


def test_files_go_straight_to_the_bucket_and_on_after_a_reload(
    context: BrowserContext, start_server: StartServer, s3_server: S3Server, tmp_path: Path
) -> None:
    bucket = s3_server.bucket()
    rule = {
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "Content-Length", "Content-Range"],
    }
    rules = {"CORSRules": [rule]}
    s3_server.client().put_bucket_cors(Bucket=bucket, CORSConfiguration=rules)
    server = start_server(tables=None, BKEND_STORAGE_URL=s3_server.url(bucket))
    (film := tmp_path / "film.bin").write_bytes(os.urandom(30_000_000))
    with files_site(server, f"http://{s3_server.host}") as address:
        tab = FilesPage(context, address)
        hosts: set[str] = set()
        tab.page.on(
            "request", lambda r: hosts.add(r.url.split("/")[2]) if r.method == "PUT" else None
        )
        tab.enter(f"{uuid.uuid4().hex}@example.com")
        tab.choose({"name": "leaf.png", "mimeType": "image/png", "buffer": PICTURE})
        tab.has("leaf.png")
        tab.shows_picture("leaf.png")
        answered: list[str] = []
        tab.page.on(
            "requestfinished", lambda r: answered.append(r.url) if r.method == "PUT" else None
        )
        tab.hold_parts_after(2)
        tab.choose(film)
        tab.stands_at("film.bin", "55 %")
        while len(answered) < 2:
            tab.page.wait_for_timeout(50)
        tab.page.wait_for_timeout(500)  # the page takes note of the answers
        tab.page.reload()
        tab.cut_off()
        tab.stands_at("film.bin", "Interrupted at 55 %")
        tab.puts.clear()
        tab.choose(film)
        tab.has("film.bin")
        assert sorted(tab.puts) == [3, 4]
        assert hosts == {s3_server.host}
        assert tab.digest("film.bin") == hashlib.sha256(film.read_bytes()).hexdigest()
        tab.is_sound()
