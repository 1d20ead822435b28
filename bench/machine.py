"""The machine a run was made on, without names and paths."""

import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

FSYNC_SAMPLES = 50


@dataclass(frozen=True)
class Machine:
    """What a reader needs to judge the figures; `fsync_ms` is the median for 4 KiB appended."""

    cpu: str
    cores: int
    memory_gb: int
    kernel: str
    filesystem: str
    fsync_ms: float


def describe(directory: Path) -> Machine:
    """Look at this machine, and at the disk the data will be on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(memory / 2**30),
        kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
        filesystem=_filesystem(directory),
        fsync_ms=_fsync_ms(directory),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _filesystem(directory: Path) -> str:
    """The type of the file system that holds the directory."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, type_, *_ = line.split()
        if directory.resolve().is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, type_
    return kind


def _fsync_ms(directory: Path) -> float:
    times = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(FSYNC_SAMPLES):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1e3, 3)
