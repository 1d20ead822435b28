"""Names, types and keys of files: what is good, and what is made of them (30 §3, §4)."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args
from urllib.parse import quote

from bkend.files.errors import (
    FileNameTooLong,
    InvalidFileFormat,
    InvalidFileName,
    MimeTypeTooLong,
)
from bkend.ids import uuid4
from bkend.manage.environments import Visibility as Visibility

Category: TypeAlias = Literal[
    "images", "documents", "media", "attachments", "exports", "backups", "temp"
]
Bucket: TypeAlias = Literal["avatars", "documents", "media", "files", "images", "temp"]
OwnerType: TypeAlias = Literal["user", "service", "session", "public"]

BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
_LONGEST_NAME = 255
_PLAIN = "/:@!$&'()*+,;=~"
_LONGEST_TYPE = 127
_OCTETS = "application/octet-stream"
_WORD = r"[A-Za-z0-9!#$&^_.+-]+"
_TYPE = re.compile(
    rf'{_WORD}/{_WORD}(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|"[A-Za-z0-9 !#$&^_.+,/:=()-]*"))*'
)
_EXTENSION = re.compile(r"[a-z0-9]{1,10}")
_PLACE = re.compile(r"(?P<project>[^/]+)/(?P<environment>[a-z][a-z0-9-]{0,29})/")


def checked_name(name: str) -> str:
    """The name in NFC; raises InvalidFileName, FileNameTooLong."""
    name = unicodedata.normalize("NFC", name)
    if name in ("", ".", "..") or not name.strip() or any(map(_is_unfit, name)):
        raise InvalidFileName
    if len(name) > _LONGEST_NAME:
        raise FileNameTooLong
    return name


def _is_unfit(character: str) -> bool:
    return character in "/\\" or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def checked_type(content_type: str) -> str:
    """The type, its name in small letters; raises InvalidFileFormat, MimeTypeTooLong."""
    content_type = content_type.strip()
    if not content_type:
        return _OCTETS
    if len(content_type) > _LONGEST_TYPE:
        raise MimeTypeTooLong
    if not _TYPE.fullmatch(content_type):
        raise InvalidFileFormat
    name, mark, rest = content_type.partition(";")
    return name.strip().lower() + mark + rest


def bucket_of(category: str | None) -> Bucket:
    """The bucket of a file whose own was not named."""
    for bucket in BUCKETS:
        if bucket == category:
            return bucket
    return "files"


def new_key(
    project_id: str, environment: str, category: str | None, filename: str, now_ms: int
) -> str:
    """`{projectId}/{environment}/{category}/{yyyy}/{mm}/{uuid}{.ext}`, never given out before."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    extension = filename.rpartition(".")[2].lower() if "." in filename else ""
    ending = f".{extension}" if _EXTENSION.fullmatch(extension) else ""
    folder = f"{project_id}/{environment}/{category or 'files'}"
    return f"{folder}/{now:%Y}/{now:%m}/{uuid4()}{ending}"


def address_of(raw: str, key: str) -> str:
    """Where the bytes of a key are read, `raw` without a trailing slash. Keys made by the server
    stand there as they are."""
    return f"{raw}/{quote(key, safe=_PLAIN)}"


def place_of(key: str) -> tuple[str, str] | None:
    """Project id and environment name that a key made by the server begins with."""
    match = _PLACE.match(key)
    return (match["project"], match["environment"]) if match else None
