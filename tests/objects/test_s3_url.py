"""What `s3://…` says, and what is wrong with one that says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bkend.objects.opening import parse_storage_url
from bkend.objects.s3_url import S3Address, mask_s3_url, parse_s3_url

AWS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hush"}


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "s3://K:S@localhost:9000/files?tls=off",
            {"endpoint": "http://localhost:9000", "bucket": "files", "prefix": "", "style": "path"},
        ),
        (
            "s3://K:a%2Fb%2Bc@minio.example.com/files/one/two/?region=eu-1&style=virtual&proxy=1",
            {
                "endpoint": "https://minio.example.com",
                "object_endpoint": "https://files.minio.example.com",
                "prefix": "one/two/",
                "region": "eu-1",
                "style": "virtual",
                "proxied": True,
            },
        ),
        (
            "s3://K:S@s3.eu-central-1.amazonaws.com/files",
            {
                "region": "eu-central-1",
                "style": "virtual",
                "client_endpoint": "https://files.s3.eu-central-1.amazonaws.com",
            },
        ),
        ("s3://K:S@s3.eu-central-1.amazonaws.com/my.files", {"style": "path"}),
        (
            "s3://K:S@files?region=us-west-2",
            {"endpoint": "https://s3.us-west-2.amazonaws.com", "bucket": "files"},
        ),
        (
            "s3://K:S@files/in/here?endpoint=http://10.0.0.1:8333&region=auto",
            {"endpoint": "http://10.0.0.1:8333", "bucket": "files", "prefix": "in/here/"},
        ),
        (
            "s3://K:S@minio:9000/files?tls=off&public=https://s3.example.com",
            {"client_endpoint": "https://s3.example.com", "object_endpoint": "http://minio:9000"},
        ),
        ("s3://K:S@[::1]:9000/files", {"host": "[::1]:9000"}),
    ],
)
def test_what_is_read(url: str, wanted: dict[str, Any]) -> None:
    address = parse_s3_url(url, {})
    for name, value in wanted.items():
        assert getattr(address, name) == value, name


def test_the_access_key_may_come_from_the_environment() -> None:
    found = parse_s3_url("s3://h:1/files", {**AWS, "AWS_SESSION_TOKEN": "t"}).credentials
    assert (found.key, found.secret, found.token) == ("AKID", "hush", "t")
    found = parse_s3_url("s3://K:a%2Fb@h:1/files", AWS).credentials
    assert (found.key, found.secret, found.token) == ("K", "a/b", None)
    assert parse_s3_url("s3://h:1/files", {**AWS, "AWS_REGION": "eu-1"}).region == "eu-1"
    assert "hush" not in repr(parse_s3_url("s3://h:1/files", AWS))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("s3://", "write s3://KEY:SECRET@HOST"),
        ("s3:files", "write s3://"),
        ("s3://K:hu/sh@h/files", "percent-encode"),
        ("s3://K:hush@h:port/files", "percent-encode"),
        ("s3://K:hush@h:0/files", "write s3://"),
        ("s3://K:hush@h/files x", "write s3://"),
        ("s3://K:hush@h/files#x", "write s3://"),
        ("s3://K@h/files", "both the key and the secret"),
        ("s3://:hush@h/files", "both the key and the secret"),
        ("s3://h/files", "AWS_ACCESS_KEY_ID"),
        ("s3://K:hush@h", "name the bucket after the host, or the region"),
        ("s3://K:hush@h/f", "no name of a bucket"),
        ("s3://K:hush@h/files/../x", "the prefix"),
        ("s3://K:hush@h/files/a//b", "the prefix"),
        ("s3://K:hush@h/files?tls=maybe", "tls is on or off"),
        ("s3://K:hush@h/files?style=other", "write path or virtual"),
        ("s3://K:hush@h/files?proxy=yes", "proxy is on or off"),
        ("s3://K:hush@h/files?public=cdn.example.com", "public is a URL"),
        ("s3://K:hush@h/files?public=https://cdn.example.com/x", "public is a URL"),
        ("s3://K:hush@h/files?regoin=x", "'regoin' is not an option"),
        ("s3://K:hush@h/files?region=a&region=b", "given twice"),
        ("s3://K:hush@h/files?region=a%20b", "is no region"),
        ("s3://K:hush@files?endpoint=h:9000", "endpoint is a URL"),
        ("s3://K:hush@files?endpoint=http://h&tls=off", "leave out tls"),
        ("s3://K:hush@h_%41/files", "is no host"),
    ],
)
def test_what_is_refused_names_the_problem_and_no_secret(url: str, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_s3_url(url, {})
    assert problem in str(refused.value)
    assert "hu" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://K:hush@h:9000/files?tls=off", "s3://K:***@h:9000/files?tls=off"),
        ("s3://K:hu@sh@h/files", "s3://K:***@h/files"),
        ("s3://K:hu/sh@h/files", "s3://K:***@h/files"),
        ("s3://h/files?public=https://a@b", "s3://h/files?public=https://a@b"),
        ("file:/somewhere", "file:/somewhere"),
    ],
)
def test_the_secret_is_masked(url: str, shown: str) -> None:
    assert mask_s3_url(url, "***") == shown


def test_folders() -> None:
    data = Path("/data")
    assert parse_storage_url("file:", data, {}) == data / "objects"
    assert parse_storage_url("file:/mnt/my%20files", data, {}) == Path("/mnt/my files")
    assert parse_storage_url("file:///mnt/files", data, {}) == Path("/mnt/files")
    assert isinstance(parse_storage_url("s3://K:S@h/files", data, {}), S3Address)
    for url in (
        "",
        "files",
        "file:files",
        "file://host/x",
        "http://h/b",
        "gs://bucket",
        "file:/a?b",
    ):
        with pytest.raises(ValueError, match="write file: for a folder"):
            parse_storage_url(url, data, {})
