"""Uploads in parts (30 §5.9)."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bkend.clock import Clock
from bkend.files.actor import FileActor
from bkend.files.collections import UPLOADS
from bkend.files.errors import (
    BucketNotConfigured,
    FileNotFound,
    FileTooLarge,
    FileTooSmall,
    InvalidPartNumber,
    InvalidParts,
    UploadInitFailed,
    UploadTooLarge,
)
from bkend.files.shapes import CompletedUpload, MultipartUpload, PartAddress
from bkend.files.signing import FileSigner, Permit
from bkend.files.uploads import UPLOAD_SECONDS, Uploads, Wanted
from bkend.manage.environments import EnvironmentState
from bkend.objects.interface import (
    Objects,
    ObjectsMisconfigured,
    ObjectsUnavailable,
    ObjectTooLarge,
    PartInfo,
    UnknownUpload,
)
from bkend.store import Conflict, Delete, Equals, Missing, Store, Update
from bkend.store.documents import format_time

MOST_PARTS = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ListedPart:
    """A part as the client lists it."""

    number: int
    etag: str
    """Quotes around it do not matter."""


class Multipart:
    """The uploads in parts of one environment: intents with an `uploadId`, which is null again
    once the parts are one object."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        environment: EnvironmentState,
        objects: Objects,
        signer: FileSigner,
        uploads: Uploads,
    ) -> None:
        self._store = store
        self._clock = clock
        self._environment = environment
        self._objects = objects
        self._signer = signer
        self._uploads = uploads

    async def begin(self, actor: FileActor, wanted: Wanted) -> MultipartUpload:
        """Raises as `Uploads.presign`, and UploadInitFailed, BucketNotConfigured."""
        document = await self._uploads.begin(
            actor, wanted, self._uploads.limits.multipart, inParts=True
        )
        id, key = document["id"], document["s3Key"]
        try:
            upload_id = await self._objects.begin_multipart(key, content_type=document["mimeType"])
        except ObjectsUnavailable as error:
            await self._store.commit([Delete(UPLOADS, id)])
            log.error("upload not begun", reason=str(error))
            if isinstance(error, ObjectsMisconfigured):
                raise BucketNotConfigured from None
            raise UploadInitFailed from None
        await self._store.commit([Update(UPLOADS, id, set={"uploadId": upload_id})])
        name = document["originalName"]
        return {"uploadId": upload_id, "key": key, "filename": name, "fileId": id}

    async def find(self, actor: FileActor, upload_id: str, key: str | None) -> dict[str, Any]:
        """The upload under way; of any key where None is given. Raises FileNotFound,
        FileAccessDenied."""
        found = await self._uploads.of_upload(upload_id)
        if found is None or (key is not None and found["s3Key"] != key):
            raise FileNotFound("There is no such upload under way")
        actor.require_owner(found)
        return found

    async def presign_part(self, document: dict[str, Any], number: int, raw: str) -> PartAddress:
        """An address to PUT a part to; raises InvalidPartNumber."""
        if not 1 <= number <= MOST_PARTS:
            raise InvalidPartNumber
        permit = self.permit(document, number)
        query, expires_at = self._signer.sign(permit, UPLOAD_SECONDS)
        elsewhere = await self._objects.presign_part(
            permit.key, permit.upload_id, number, seconds=UPLOAD_SECONDS
        )
        now = self._clock.now_ms()
        await self._store.commit([Update(UPLOADS, document["id"], updated_at=now)])
        return {
            "url": elsewhere or f"{raw}/{permit.key}?{query}",
            "partNumber": number,
            "expiresAt": format_time(expires_at),
        }

    def permit(self, document: dict[str, Any], number: int) -> Permit:
        """To PUT one part."""
        limit = self._uploads.limits.largest_part
        key, upload_id = document["s3Key"], document["uploadId"]
        return Permit("PUT", self._environment.id, key, limit, upload_id, number)

    async def receive_part(
        self, document: dict[str, Any], number: int, parts: AsyncIterable[bytes], size: int
    ) -> PartInfo:
        """Store a part of so many bytes, in place of one of that number. Raises FileNotFound,
        FileTooSmall, UploadTooLarge; ObjectsUnavailable; and what `parts` raises."""
        limit = min(size, self._uploads.limits.largest_part, document["limit"])
        try:
            stored = await self._objects.put_part(
                document["s3Key"], document["uploadId"], number, _some(parts), limit=limit
            )
        except ObjectTooLarge:
            raise UploadTooLarge(limit) from None
        except UnknownUpload:
            raise FileNotFound("There is no such upload under way") from None
        now = self._clock.now_ms()
        try:
            await self._store.commit([Update(UPLOADS, document["id"], updated_at=now)])
        except Missing:
            raise FileNotFound("There is no such upload under way") from None
        return stored

    async def complete(
        self, document: dict[str, Any], listed: Sequence[ListedPart], raw: str
    ) -> CompletedUpload:
        """Make one object of the listed parts. Raises InvalidParts, FileTooLarge, FileNotFound."""
        key, upload_id = document["s3Key"], document["uploadId"]
        try:
            stored = {p.number: p for p in await self._objects.list_parts(key, upload_id)}
            chosen = self._chosen(stored, listed)
            if sum(part.size for part in chosen) > document["limit"]:
                raise FileTooLarge(document["limit"])
            made = await self._objects.complete_multipart(key, upload_id, chosen)
        except UnknownUpload:
            raise FileNotFound("There is no such upload under way") from None
        spent = Update(
            UPLOADS,
            document["id"],
            set={"uploadId": None, "objectTag": made.etag, "etag": None},
            updated_at=self._clock.now_ms(),
            guard=Equals(("uploadId",), upload_id),
        )
        try:
            await self._store.commit([spent])
        except (Conflict, Missing):
            raise FileNotFound("There is no such upload under way") from None
        return {"key": key, "location": f"{raw}/{key}"}

    def _chosen(self, stored: dict[int, PartInfo], listed: Sequence[ListedPart]) -> list[PartInfo]:
        numbers = [part.number for part in listed]
        if not listed or len(listed) > MOST_PARTS or len(set(numbers)) != len(numbers):
            raise InvalidParts
        chosen: list[PartInfo] = []
        for part in sorted(listed, key=lambda part: part.number):
            found = stored.get(part.number)
            if found is None or found.etag != part.etag.strip().strip('"').lower():
                raise InvalidParts(f"Part {part.number} is unknown, or its etag differs")
            chosen.append(found)
        for found in chosen[:-1]:
            if found.size < self._uploads.limits.smallest_part:
                raise InvalidParts(f"Part {found.number} is too small for one that is not the last")
        return chosen

    async def abort(self, document: dict[str, Any]) -> None:
        """Drop the upload with its parts; raises FileNotFound when somebody else was faster."""
        upload_id = document["uploadId"]
        await self._objects.abort_multipart(document["s3Key"], upload_id)
        try:
            await self._store.commit(
                [Delete(UPLOADS, document["id"], guard=Equals(("uploadId",), upload_id))]
            )
        except (Conflict, Missing):
            raise FileNotFound("There is no such upload under way") from None


async def _some(parts: AsyncIterable[bytes]) -> Any:
    """The parts; raises FileTooSmall when they are empty."""
    is_empty = True
    async for part in parts:
        is_empty = is_empty and not part
        yield part
    if is_empty:
        raise FileTooSmall
