"""A server whose files are in a bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.s3 import S3Server
from tests.servers import RunningServer, command, free_port

TEXT = b"The quick brown fox jumps over the lazy dog."
FILE = {"filename": "fox.txt", "contentType": "text/plain"}


def send(method: str, url: str, content: bytes | None = None) -> httpx.Response:
    with httpx.Client(verify=False) as http:
        return http.request(method, url, content=content)


def presigned(client: httpx.Client, **more: Any) -> Any:
    answer = client.post("/v1/files/presigned-url", json={**FILE, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def registered(client: httpx.Client, made: Any) -> Any:
    body = {"s3Key": made["key"], "originalName": "fox.txt", "mimeType": "text/plain", "size": 1}
    answer = client.post("/v1/files", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def downloaded(client: httpx.Client, id: str) -> tuple[str, bytes]:
    url = client.post(f"/v1/files/{id}/download-url").json()["url"]
    return url, send("GET", url).content


def names(server: S3Server, bucket: str) -> set[str]:
    """What lies in the bucket."""
    found = server.client().list_objects_v2(Bucket=bucket)
    return {entry["Key"] for entry in found["Contents"]}


def through(server: RunningServer, client: httpx.Client) -> Any:
    """A file whose bytes go through the server."""
    made = presigned(client)
    assert made["url"].startswith(f"{server.url}/raw/")
    answer = send("PUT", made["url"], TEXT)
    assert answer.status_code == 200, answer.text
    return registered(client, made)


def test_a_file_on_its_way(start_server: StartServer, s3_server: S3Server) -> None:
    bucket = s3_server.bucket()
    server = start_server(tables=None, BKEND_STORAGE_URL=s3_server.url(bucket))
    ada = server.sign_up("ada@example.com")
    place = f"http://{s3_server.host}/{bucket}/"
    with server.client(token=ada["accessToken"]) as client:
        made = presigned(client, fileSize=len(TEXT))
        assert made["url"].startswith(place)
        assert send("PUT", made["url"], TEXT + b"!").status_code == 403
        assert send("PUT", made["url"], TEXT).status_code == 200
        file = registered(client, made)
        unsized = through(server, client)
        for found in (file, unsized):
            assert found["size"] == len(TEXT)
            url, content = downloaded(client, found["id"])
            assert url.startswith(place)
            assert content == TEXT
        assert names(s3_server, bucket) == {file["key"], unsized["key"]}
        assert client.delete(f"/v1/files/{file['id']}").status_code == 200
    assert names(s3_server, bucket) == {unsized["key"]}
    assert not (server.data / "objects").exists()


def test_without_the_bucket_everything_else_is_served(start_server: StartServer) -> None:
    url = f"s3://K:hush-hush@127.0.0.1:{free_port()}/files?tls=off&proxy=1"
    server = start_server(tables=None, BKEND_STORAGE_URL=url)
    ada = server.sign_up("ada@example.com")
    with server.client(token=ada["accessToken"]) as client:
        made = presigned(client)
        answer = send("PUT", made["url"], TEXT)
        assert answer.status_code == 503
        assert answer.json()["code"] == "common/unavailable"
        assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/v1/files").json()["items"] == []
    assert "files cannot be served yet" in server.log
    assert "hush-hush" not in server.log


def test_a_bucket_that_is_not_there_is_told_instead_of_a_start(
    start_server: StartServer, s3_server: S3Server
) -> None:
    with pytest.raises(AssertionError, match="there is no bucket 'nothing-here'") as refused:
        start_server(tables=None, BKEND_STORAGE_URL=s3_server.url("nothing-here"))
    assert "Traceback" not in str(refused.value)
    assert s3_server.secret not in str(refused.value)


def test_the_secret_is_masked_where_settings_are_shown(s3_server: S3Server, tmp_path: Path) -> None:
    variables = {"BKEND_STORAGE_URL": s3_server.url("files")}
    done = command("config", "--json", cwd=tmp_path, environment=variables)
    assert s3_server.secret not in done.stdout
    assert f"s3://{s3_server.key}:********@" in json.dumps(json.loads(done.stdout))
