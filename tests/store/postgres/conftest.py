"""What is particular to PostgreSQL."""

from __future__ import annotations

import pytest

from tests.engines import Engine


@pytest.fixture
def engine() -> Engine:
    """These tests are about PostgreSQL alone."""
    return "postgresql"
