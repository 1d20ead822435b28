"""The memory that a container is given counts, not that of the machine around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bkend.machine import memory_mb
from bkend.settings_reading import load_settings

MB = 1024 * 1024


def test_the_least_limit_counts(tmp_path: Path) -> None:
    machine = memory_mb(tmp_path)
    assert machine > 0
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_mb(tmp_path) == machine
    (tmp_path / "memory.max").write_text(f"{100 * MB}\n")
    assert memory_mb(tmp_path) == 100
    (tmp_path / "memory.max").write_text(f"{1 << 62}\n")
    assert memory_mb(tmp_path) == machine


def test_a_container_of_the_older_kind(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{256 * MB}\n")
    assert memory_mb(tmp_path) == 256


@pytest.mark.parametrize(
    ("memory", "expected"), [(512, 64), (2048, 128), (4096, 256), (8192, 512), (65_536, 512)]
)
def test_recent_records_take_a_share(
    monkeypatch: pytest.MonkeyPatch, memory: int, expected: int
) -> None:
    monkeypatch.setattr("bkend.settings.memory_mb", lambda: memory)
    assert load_settings().settings.record_cache_bytes == expected * MB
    monkeypatch.setenv("BKEND_RECORD_CACHE_MB", "7")
    assert load_settings().settings.record_cache_bytes == 7 * MB
