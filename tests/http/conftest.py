"""Clients of the shared server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.servers import RunningServer


@pytest.fixture
def bare(server: RunningServer) -> Iterator[httpx.Client]:
    """A client that sends no key of its own."""
    with httpx.Client(base_url=server.url, timeout=30, verify=False) as client:
        yield client


@pytest.fixture
def anonymous(server: RunningServer) -> Iterator[httpx.Client]:
    """The publishable key alone."""
    with server.client() as client:
        yield client


@pytest.fixture
def admin(server: RunningServer) -> Iterator[httpx.Client]:
    """The secret key alone."""
    with server.client(server.secret) as client:
        yield client
