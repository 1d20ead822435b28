"""Parts of multipart uploads as files: one folder an upload, one file a part.

A part's name is its number and the MD5 of its bytes, so what is listed needs no second file. The
folder's name holds a digest of the key, so an upload is found by its key and id together only; the
key itself is in a file `key`, for whoever looks for uploads that nobody knows of.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from bkend.ids import uuid4
from bkend.objects.interface import PartInfo, UnknownUpload, UploadInfo
from bkend.objects.local_files import for_owner

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FOLDER = re.compile(rf"(?P<id>{_ID.pattern})\.[0-9a-f]{{16}}")
_KEY = "key"
_PART = re.compile(r"(?P<number>[0-9]{5})\.(?P<etag>[0-9a-f]{32})")


class PartFolders:
    """The folders of all uploads; every call is made in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def begin(self, key: str) -> str:
        """Make a folder; the new upload's id."""
        upload_id = uuid4()
        folder = self._path(key, upload_id)
        for above in (self._root.parent, self._root):
            above.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
        with open(folder / _KEY, "x", opener=for_owner) as file:
            file.write(key)
        sync_folder(self._root)
        return upload_id

    def all(self) -> list[UploadInfo]:
        """Every upload under way."""
        try:
            folders = list(self._root.iterdir())
        except FileNotFoundError:
            return []
        return [found for folder in folders if (found := _described(folder)) is not None]

    def folder(self, key: str, upload_id: str) -> Path:
        """The folder of an upload; raises UnknownUpload."""
        found = self._path(key, upload_id)
        if not found.is_dir():
            raise UnknownUpload("no such upload")
        return found

    def take(
        self,
        key: str,
        upload_id: str,
        number: int,
        file: BinaryIO,
        draft: Path,
        size: int,
        etag: str,
    ) -> PartInfo:
        """Move a received part in, in place of one of that number; raises UnknownUpload."""
        with file:
            file.flush()
            os.fsync(file.fileno())
            modified_at = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
        folder = self.folder(key, upload_id)
        target = folder / _name(number, etag)
        try:
            os.replace(draft, target)
            sync_folder(folder)
            for other in folder.glob(f"{number:05d}.*"):
                if other != target:
                    other.unlink(missing_ok=True)
        except FileNotFoundError:  # completed or aborted meanwhile
            raise UnknownUpload("no such upload") from None
        return PartInfo(number, size, etag, modified_at)

    def parts(self, key: str, upload_id: str) -> list[PartInfo]:
        """By ascending number; of two of one number, which only a crash leaves, the later."""
        found: dict[int, tuple[int, PartInfo]] = {}
        for path in self.folder(key, upload_id).iterdir():
            match = _PART.fullmatch(path.name)
            if match is None:
                continue
            try:
                stat = path.stat()
            except FileNotFoundError:  # replaced just now
                continue
            number = int(match["number"])
            held = found.get(number)
            if held is None or held[0] < stat.st_mtime_ns:
                modified_at = stat.st_mtime_ns // 1_000_000
                part = PartInfo(number, stat.st_size, match["etag"], modified_at)
                found[number] = (stat.st_mtime_ns, part)
        return [found[number][1] for number in sorted(found)]

    def copy(self, key: str, upload_id: str, parts: Sequence[PartInfo], file: BinaryIO) -> None:
        """Append the parts to the file, a buffer at a time; raises UnknownUpload."""
        folder = self.folder(key, upload_id)
        for part in parts:
            try:
                with open(folder / _name(part.number, part.etag), "rb") as source:
                    shutil.copyfileobj(source, file, 1024 * 1024)
            except FileNotFoundError:
                raise UnknownUpload("a part was replaced meanwhile") from None

    def drop(self, key: str, upload_id: str) -> bool:
        """Remove the folder; whether there was one."""
        try:
            found = self.folder(key, upload_id)
        except UnknownUpload:
            return False
        shutil.rmtree(found, ignore_errors=True)  # a part may just be moving in
        return True

    def _path(self, key: str, upload_id: str) -> Path:
        if not _ID.fullmatch(upload_id):
            raise UnknownUpload("no such upload")
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        return self._root / f"{upload_id}.{digest}"


def _described(folder: Path) -> UploadInfo | None:
    """What a folder is of; None when it was removed just now."""
    match = _FOLDER.fullmatch(folder.name)
    try:
        begun_at = folder.stat().st_mtime_ns // 1_000_000
        key = (folder / _KEY).read_text()
    except OSError:
        return None
    return UploadInfo(key, match["id"], begun_at) if match else None


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(number: int, etag: str) -> str:
    return f"{number:05d}.{etag}"
