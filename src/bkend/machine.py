"""What the machine, or the container, has."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


def memory_mb(cgroup: Path = _CGROUP) -> int:
    """The memory that this process may use at most, in MiB: that of the machine, or less where a
    container is given less."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in _LIMITS:
        try:
            limit = (cgroup / name).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if limit.isdecimal():
            found = min(found, int(limit))
    return found // (1024 * 1024)
