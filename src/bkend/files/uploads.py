"""Uploads on their way: addresses given out, bytes received, intents dropped (30 §2, §5.1, §5.2).

An intent is a row of `file_uploads` with the id of the file to be. It is *pending* until there are
bytes under its key, and gone once the file is registered.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.files.actor import FileActor
from bkend.files.collections import FILES, UPLOADS
from bkend.files.errors import (
    FileTooLarge,
    FileTooSmall,
    KeyAlreadyExists,
    SizeNegative,
    UploadTooLarge,
)
from bkend.files.names import Category, Visibility, checked_name, checked_type, new_key
from bkend.files.shapes import UploadAddress
from bkend.files.signing import FileSigner, Permit
from bkend.ids import uuid4
from bkend.manage.environments import EnvironmentState
from bkend.objects.interface import ObjectInfo, Objects, ObjectTooLarge
from bkend.store import Equals, Find, Insert, Missing, Store, Update
from bkend.store.documents import decode, format_time

UPLOAD_SECONDS = 15 * 60
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes (30 §4); `single` is a default that projects override."""

    single: int = 100 * _MIB
    multipart: int = 5 * 1024 * _MIB
    smallest_part: int = 5 * _MIB
    largest_part: int = 5 * 1024 * _MIB


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to upload, as they say."""

    filename: str
    content_type: str
    size: int | None = None
    visibility: Visibility | None = None
    category: Category | None = None


class Uploads:
    """The intents of one environment."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        environment: EnvironmentState,
        objects: Objects,
        signer: FileSigner,
    ) -> None:
        self._store = store
        self._clock = clock
        self._environment = environment
        self._objects = objects
        self._signer = signer
        self.limits = Limits()

    @property
    def default_visibility(self) -> Visibility:
        """Of files whose own is not said."""
        return self._environment.project.default_visibility

    @property
    def single_limit(self) -> int:
        """The most bytes of one PUT, as the project has it."""
        return self._environment.project.max_upload_bytes or self.limits.single

    # -- intents ----------------------------------------------------------------------------

    async def presign(self, actor: FileActor, wanted: Wanted, raw: str) -> UploadAddress:
        """An address to PUT the bytes to. Raises InvalidFileName, FileNameTooLong,
        InvalidFileFormat, MimeTypeTooLong, SizeNegative, FileTooSmall, FileTooLarge."""
        document = await self.begin(actor, wanted, self.single_limit)
        permit = self.permit(document)
        query, expires_at = self._signer.sign(permit, UPLOAD_SECONDS)
        elsewhere = None
        if wanted.size is not None:  # a bucket holds uploads to a length, not below a bound
            elsewhere = await self._objects.presign_put(
                permit.key,
                seconds=UPLOAD_SECONDS,
                limit=permit.limit,
                content_type=document["mimeType"],
            )
        return {
            "url": elsewhere or f"{raw}/{permit.key}?{query}",
            "key": permit.key,
            "filename": document["originalName"],
            "contentType": document["mimeType"],
            "fileId": document["id"],
            "method": "PUT",
            "expiresAt": format_time(expires_at),
        }

    def permit(self, document: dict[str, Any]) -> Permit:
        """To PUT the bytes of an intent."""
        key = document["s3Key"]
        return Permit("PUT", self._environment.id, key, document["limit"])

    async def begin(
        self, actor: FileActor, wanted: Wanted, most: int, **more: Any
    ) -> dict[str, Any]:
        """Store an intent for at most so many bytes; raises as `presign`."""
        name, kind = checked_name(wanted.filename), checked_type(wanted.content_type)
        check_size(wanted.size, most)
        now, id = self._clock.now_ms(), uuid4()
        place = self._environment
        fields = {
            "s3Key": new_key(place.project.id, place.name, wanted.category, name, now),
            "originalName": name,
            "mimeType": kind,
            "visibility": wanted.visibility or self.default_visibility,
            "category": wanted.category,
            "ownerId": actor.owner_id,
            "ownerType": actor.owner_type,
            "limit": most if wanted.size is None else wanted.size,
            "uploadId": None,
            "objectTag": None,
            **more,
        }
        [stored] = await self._store.commit([Insert(UPLOADS, id, fields, now, now)])
        assert isinstance(stored, bytes)
        return decode(stored)

    async def of_id(self, id: str) -> dict[str, Any] | None:
        """The intent, or None."""
        body = await self._store.get(UPLOADS, id)
        return decode(body) if body else None

    async def of_key(self, key: str, collection: str = UPLOADS) -> dict[str, Any] | None:
        """The intent, or the registered file, of a key; or None."""
        page = await self._store.find(Find(collection, Equals(("s3Key",), key), limit=1))
        found: list[dict[str, Any]] = orjson.loads(page.items)
        return found[0] if found else None

    async def of_upload(self, upload_id: str) -> dict[str, Any] | None:
        """The intent of an upload in parts that is under way, or None."""
        query = Find(UPLOADS, Equals(("uploadId",), upload_id), limit=1)
        found: list[dict[str, Any]] = orjson.loads((await self._store.find(query)).items)
        return found[0] if found and upload_id else None

    # -- bytes ------------------------------------------------------------------------------

    async def receive(
        self, document: dict[str, Any], parts: AsyncIterable[bytes], size: int | None = None
    ) -> ObjectInfo:
        """Store the bytes of an intent, in place of those sent before; `size` where it is known,
        so that no more room is asked of the disk than is needed.

        Raises KeyAlreadyExists (registered meanwhile), UploadTooLarge, FileTooSmall;
        ObjectsUnavailable; and what `parts` raises. Nothing is kept then.
        """
        key = document["s3Key"]
        limit = document["limit"] if size is None else min(size, document["limit"])
        try:
            stored = await self._objects.put(
                key,
                self._still_open(document["id"], parts),
                limit=limit,
                content_type=document["mimeType"],
            )
        except ObjectTooLarge:
            raise UploadTooLarge(limit) from None
        await self._note(document, stored)
        return stored

    async def _still_open(self, id: str, parts: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The parts, and at their end the question whether they may still be stored."""
        is_empty = True
        async for part in parts:
            is_empty = is_empty and not part
            yield part
        if is_empty:
            raise FileTooSmall
        if await self._store.get(UPLOADS, id) is None:
            raise KeyAlreadyExists

    async def _note(self, document: dict[str, Any], stored: ObjectInfo) -> None:
        """Remember the MD5 of the object. A file registered in the instant before takes the new
        bytes over; of one that was deleted they are removed."""
        noted = {"etag": stored.md5, "objectTag": stored.etag}
        try:
            await self._store.commit([Update(UPLOADS, document["id"], set=noted)])
        except Missing:
            change = Update(FILES, document["id"], set={**noted, "size": stored.size})
            try:
                await self._store.commit([change])
            except Missing:
                await self._objects.delete(document["s3Key"])


def check_size(size: int | None, most: int) -> None:
    """Of what is announced. Raises SizeNegative, FileTooSmall, FileTooLarge."""
    if size is None:
        return
    if size < 0:
        raise SizeNegative
    if size == 0:
        raise FileTooSmall
    if size > most:
        raise FileTooLarge(most)
