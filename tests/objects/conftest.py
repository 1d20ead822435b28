"""Every kind of object store, empty: `objects` is parametrized, `s3` is the bucket alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from bkend.clock import SystemClock
from bkend.objects.interface import Objects
from bkend.objects.local import LocalObjects
from bkend.objects.s3 import S3Objects
from bkend.objects.s3_url import parse_s3_url
from tests.objects.front import Front, standing_before
from tests.objects.stores import KINDS, Kind
from tests.s3 import S3Server


@pytest.fixture(scope="session")
def shared_bucket(s3_server: S3Server) -> str:
    """A bucket in which every test has a prefix of its own."""
    return s3_server.bucket()


@pytest.fixture
def s3(s3_server: S3Server, shared_bucket: str) -> Iterator[S3Objects]:
    """A store below a new prefix."""
    url = s3_server.url(shared_bucket, f"/tests/{secrets.token_hex(6)}")
    objects = S3Objects(parse_s3_url(url, {}), SystemClock())
    yield objects
    objects.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which kind the test runs on."""
    found: Kind = request.param
    return found


@pytest.fixture
def objects(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """A store of each kind."""
    if kind == "local":
        return LocalObjects(tmp_path / "objects", reserve=0)
    found: S3Objects = request.getfixturevalue("s3")
    return found


@pytest.fixture
def front(s3_server: S3Server) -> Iterator[Front]:
    """A door before the S3 server, for faults."""
    with standing_before(s3_server) as found:
        yield found


@pytest.fixture
def behind(s3_server: S3Server, shared_bucket: str, front: Front) -> Iterator[S3Objects]:
    """A store that reaches S3 through the door."""
    url = s3_server.url(shared_bucket, f"/tests/{secrets.token_hex(6)}")
    url = url.replace(s3_server.host, front.host)
    objects = S3Objects(parse_s3_url(url, {}), SystemClock())
    yield objects
    objects.close()
