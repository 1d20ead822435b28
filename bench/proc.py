"""What the kernel tells about processes: memory, processor time, and who else was busy."""

import os
import time
from pathlib import Path


def resident_bytes(root: int) -> int:
    """Resident memory of the whole tree; pages shared between processes count for each."""
    return sum(_resident_bytes(pid) for pid in _tree(root))


def busy_seconds(root: int) -> float:
    """Processor time the tree's living processes have used so far."""
    return sum(_busy_ticks(pid) for pid in _tree(root)) / os.sysconf("SC_CLK_TCK")


class Elsewhere:
    """What the machine does beside this process and its children, from now on."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._before = _elsewhere_seconds()

    def cores(self) -> float:
        """Cores kept busy by others, on average; exact once all children have ended."""
        return (_elsewhere_seconds() - self._before) / (time.perf_counter() - self._began)


def _elsewhere_seconds() -> float:
    user, nice, system, _, _, interrupts, soft, stolen = (
        int(field) for field in Path("/proc/stat").read_text().split()[1:9]
    )
    ticks = user + nice + system + interrupts + soft + stolen
    return ticks / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def _busy_ticks(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[11]) + int(stat[12]) if stat else 0


def _stat(pid: int) -> list[str]:
    """The fields after the process's name (state, parent, …); empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
