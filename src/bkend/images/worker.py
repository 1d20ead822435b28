"""A process that transforms pictures: jobs come as lines of JSON, and so do the answers.

It has no environment of the server's, no open file or socket of its, and little memory. It ends
when its input does, and by an alarm when a job takes too long though nobody is left to end it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

MOST_MEMORY = 2048 * 1024 * 1024
"""Addresses that the process may use, in bytes."""
_LARGEST_FILE = 1024 * 1024 * 1024
_MOST_FILES = 64
_NICE = 5


def main() -> None:
    """Say that it is ready, then do job after job."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand among the answers
    os.umask(0o077)  # what is written, a library writes, with the mode of its liking
    _limit()
    from bkend.images import pipeline

    pipeline.prepare()
    _answer(answers, {"ready": True})
    for line in sys.stdin.buffer:
        job = json.loads(line)
        _alarm(job["seconds"])
        answer = _done(pipeline, job)
        _alarm(0)
        _answer(answers, answer)


def _done(pipeline: Any, job: dict[str, Any]) -> dict[str, Any]:
    from bkend.images.instructions import Instructions

    wanted = job["asked"]
    if wanted["blur"] is not None:
        wanted["blur"] = tuple(wanted["blur"])
    try:
        made = pipeline.transform(
            Path(job["source"]),
            Path(job["target"]),
            Instructions(**wanted),
            automatic=job["automatic"],
        )
    except pipeline.Unfit as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": "The picture takes too much memory"}
    return {"format": made}


def _answer(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _alarm(seconds: int) -> None:
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)  # without a handler it ends the process


def _limit() -> None:
    """As far as the system has such limits; the time limit and that of pixels hold everywhere."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_AS: MOST_MEMORY,
        resource.RLIMIT_FSIZE: _LARGEST_FILE,
        resource.RLIMIT_NOFILE: _MOST_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # macOS knows some of them by name only
            pass


if __name__ == "__main__":
    main()
