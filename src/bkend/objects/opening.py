"""The object store that `BKEND_STORAGE_URL` names (00 §7)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from bkend.clock import Clock
from bkend.objects.interface import Objects, ObjectsMisconfigured, ObjectsUnavailable
from bkend.objects.local import LocalObjects
from bkend.objects.s3 import S3Objects
from bkend.objects.s3_url import S3Address, parse_s3_url
from bkend.store import StoreRefused

DEFAULT_STORAGE = "file:"
_FOLDER = "objects"

log = structlog.get_logger(__name__)


def parse_storage_url(url: str, data: Path, environment: Mapping[str, str]) -> Path | S3Address:
    """The folder of `file:` (in the data directory) or `file:/FOLDER`, or the bucket of `s3://…`.
    Raises ValueError with a sentence that repeats no secret."""
    if url.startswith("s3:"):
        return parse_s3_url(url, environment)
    if url == DEFAULT_STORAGE:
        return data / _FOLDER
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "file" or parts.netloc or parts.query or not parts.path.startswith("/"):
        raise ValueError(
            "write file: for a folder in the data directory, file:/FOLDER, or "
            "s3://KEY:SECRET@HOST/BUCKET?region=…"
        )
    return Path(unquote(parts.path))


def open_objects(place: Path | S3Address, clock: Clock) -> Objects:
    """The store at that place, which is not touched yet."""
    return LocalObjects(place) if isinstance(place, Path) else S3Objects(place, clock)


async def check_objects(objects: Objects) -> None:
    """Try a bucket before serving. Raises StoreRefused when it can never work; when S3 is only
    not reached, the server starts all the same, and serves what needs no files."""
    if not isinstance(objects, S3Objects):
        return
    try:
        await objects.check()
    except ObjectsMisconfigured as refused:
        raise StoreRefused(f"BKEND_STORAGE_URL: {refused}") from None
    except ObjectsUnavailable as error:
        log.warning("files cannot be served yet", reason=str(error))


def close_objects(objects: Objects) -> None:
    """Let connections go."""
    if isinstance(objects, S3Objects):
        objects.close()
