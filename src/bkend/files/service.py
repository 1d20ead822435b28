"""The files of one environment: registered, read, listed, changed, removed (30 §5)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.errors import InvalidParameters
from bkend.files.actor import FileActor
from bkend.files.collections import FILES, UPLOADS
from bkend.files.errors import (
    FileNotFound,
    FileTooLarge,
    FileTooSmall,
    InvalidFilePath,
    KeyAlreadyExists,
    KeyTooLong,
    SizeNegative,
)
from bkend.files.fields import check_metadata_size
from bkend.files.known import KnownFiles
from bkend.files.listing import FileQuery
from bkend.files.measuring import MEASURED, READ, measure
from bkend.files.multipart import Multipart
from bkend.files.names import (
    Bucket,
    Category,
    Visibility,
    address_of,
    bucket_of,
    checked_name,
    checked_type,
)
from bkend.files.signing import FileSigner, Permit
from bkend.files.sweeping import Sweeping
from bkend.files.uploads import Uploads, Wanted
from bkend.manage.environments import EnvironmentState
from bkend.objects.interface import ObjectInfo, Objects
from bkend.objects.removals import Removals
from bkend.objects.watched import Changed
from bkend.store import (
    Conflict,
    Delete,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import decode

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST_KEY = 1024
_ADVISED_MS = 60 * 60 * 1000
_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Registration:
    """What a file is registered as; None leaves it to what was said before the upload."""

    name: str | None = None
    content_type: str | None = None
    size: int = 0
    """As claimed; the real one counts."""
    width: int | None = None
    height: int | None = None
    visibility: Visibility | None = None
    bucket: Bucket | None = None
    category: Category | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    shared_with: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FileChange:
    """What of a file is to change; None leaves it. Metadata is merged, null removes a key."""

    name: str | None = None
    visibility: Visibility | None = None
    metadata: Mapping[str, Any] | None = None
    shared_with: Sequence[str] | None = None


class Files:
    """The file service; uploads on their way are its `uploads` and `multipart`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        environment: EnvironmentState,
        objects: Objects,
        signer: FileSigner,
        download_seconds: int,
        withdrawn: Changed,
    ) -> None:
        """`withdrawn` is told the key of a file that is public no more."""
        self._store = store
        self._clock = clock
        self._objects = objects
        self._signer = signer
        self._withdrawn = withdrawn
        self._removals = Removals(store, objects, clock)
        self.environment = environment
        self.download_seconds = download_seconds
        self.uploads = Uploads(store, clock, environment, objects, signer)
        self.multipart = Multipart(store, clock, environment, objects, signer, self.uploads)
        self.known = KnownFiles(store)
        self._sweeping = Sweeping(store, clock, objects)

    # -- registering ------------------------------------------------------------------------

    async def register(
        self, actor: FileActor, key: str, registration: Registration
    ) -> dict[str, Any]:
        """Make a file of what was uploaded under the key.

        Raises KeyTooLong, InvalidFilePath, FileAccessDenied, FileNotFound (no bytes),
        KeyAlreadyExists, FileTooLarge, FileTooSmall, and what is wrong with name, type or size.
        """
        if len(key) > _LONGEST_KEY:
            raise KeyTooLong
        if registration.size < 0:
            raise SizeNegative
        if registration.name is not None:
            registration = replace(registration, name=checked_name(registration.name))
        if registration.content_type is not None:
            kind = checked_type(registration.content_type)
            registration = replace(registration, content_type=kind)
        while True:
            upload = await self.uploads.of_key(key)
            if upload is None:
                await self._refuse_unissued(actor, key)
            assert upload is not None
            actor.require_owner(upload)
            info = await self._objects.head(key)
            if info is None:
                raise FileNotFound("Nothing was uploaded under this key yet")
            fields = await self._registered(upload, info, registration)
            now, id = self._clock.now_ms(), upload["id"]
            is_same = Equals(("objectTag",), upload["objectTag"])
            taking: list[Operation] = [
                Delete(UPLOADS, id, guard=is_same),
                Insert(FILES, id, fields, now, now),
            ]
            try:
                _, stored = await self._store.commit(taking)
            except (Conflict, Missing):  # new bytes came, or it was registered
                continue
            except Duplicate:
                raise KeyAlreadyExists from None
            assert isinstance(stored, bytes)
            if upload["visibility"] == "public" != fields["visibility"]:
                await self._withdrawn(key)
            return decode(stored)

    async def _refuse_unissued(self, actor: FileActor, key: str) -> None:
        """Raises InvalidFilePath, or for a registered key FileAccessDenied, KeyAlreadyExists."""
        registered = await self.uploads.of_key(key, FILES)
        if registered is None:
            raise InvalidFilePath
        actor.require_owner(registered)
        raise KeyAlreadyExists

    async def _registered(
        self, upload: Mapping[str, Any], info: ObjectInfo, registration: Registration
    ) -> dict[str, Any]:
        """The fields of the file."""
        given = registration
        if info.size == 0:
            raise FileTooSmall
        if info.size > upload["limit"]:
            raise FileTooLarge(upload["limit"])
        kind = given.content_type or upload["mimeType"]
        category = given.category or upload["category"]
        width, height = given.width, given.height
        if width is None or height is None:
            measured = await self._sides(upload["s3Key"], kind)
            width, height = width or measured[0], height or measured[1]
        is_noted = upload["objectTag"] == info.etag
        return {
            "s3Key": upload["s3Key"],
            "key": upload["s3Key"],
            "originalName": given.name or upload["originalName"],
            "mimeType": kind,
            "size": info.size,
            "width": width,
            "height": height,
            "visibility": given.visibility or upload["visibility"],
            "ownerId": upload["ownerId"],
            "ownerType": upload["ownerType"],
            "bucket": given.bucket or bucket_of(category),
            "category": category,
            "sharedWith": list(dict.fromkeys(given.shared_with)),
            "metadata": _without_nulls(given.metadata),
            "etag": upload.get("etag") if is_noted else None,
            "objectTag": info.etag,
            "limit": upload["limit"],
        }

    async def _sides(self, key: str, kind: str) -> tuple[int | None, int | None]:
        """Width and height of a picture, as far as its beginning tells them."""
        found = await self._objects.open(key) if kind in MEASURED else None
        if found is None:
            return None, None
        try:
            return measure(b"".join([part async for part in found.parts(0, READ)]))
        finally:
            await found.close()

    async def complete(self, actor: FileActor, id: str) -> dict[str, Any]:
        """Register an upload as it was announced; of a registered file, the file. Raises
        FileNotFound, FileAccessDenied."""
        upload = await self.uploads.of_id(id) if _UUID.fullmatch(id) else None
        if upload is None:
            document = await self.get(id)
            actor.require_owner(document)
            return document
        try:
            return await self.register(actor, upload["s3Key"], Registration())
        except (InvalidFilePath, KeyAlreadyExists):  # somebody else was as fast
            return await self.get(id)

    async def store(
        self,
        actor: FileActor,
        wanted: Wanted,
        parts: AsyncIterable[bytes],
    ) -> dict[str, Any]:
        """Take the bytes of a new file in: an intent that has bytes, to be registered. Raises what
        `Uploads.presign` and `Uploads.receive` raise; nothing is kept then."""
        document = await self.uploads.begin(actor, wanted, self.uploads.single_limit)
        try:
            await self.uploads.receive(document, parts)
        except BaseException:
            await self.discard(document)
            raise
        return document

    async def discard(self, upload: Mapping[str, Any]) -> None:
        """Forget an intent with its bytes."""
        removal = self._removals.of_key(upload["s3Key"])
        try:
            await self._store.commit([Delete(UPLOADS, upload["id"]), removal])
        except Missing:
            return
        await self._removals.carry_out([removal])

    # -- reading ----------------------------------------------------------------------------

    async def get(self, id: str) -> dict[str, Any]:
        """The registered file; raises FileNotFound."""
        body = await self._store.get(FILES, id) if _UUID.fullmatch(id) else None
        if body is None:
            raise FileNotFound
        return decode(body)

    async def read(self, actor: FileActor, id: str) -> dict[str, Any]:
        """The file, for somebody who may see it; raises FileNotFound, FileAccessDenied."""
        document = await self.get(id)
        actor.require_reader(document)
        return document

    async def page(self, actor: FileActor, query: FileQuery) -> tuple[list[dict[str, Any]], int]:
        """A page of what the actor may see, and its total."""
        found = await self._store.find(query.find(actor))
        return orjson.loads(found.items), found.total

    async def signed_url(
        self, document: Mapping[str, Any], raw: str, disposition: str, cache_control: str
    ) -> tuple[str, int]:
        """An address that gives the bytes to whoever has it, and when it ends, in ms."""
        seconds, key = self.download_seconds, document["s3Key"]
        query, expires_at = self._signer.sign(self.download_permit(document), seconds)
        elsewhere = await self._objects.presign_get(
            key,
            seconds=seconds,
            content_type=document["mimeType"],
            disposition=disposition,
            cache_control=cache_control,
        )
        return elsewhere or f"{address_of(raw, key)}?{query}", expires_at

    def advised_end(self) -> int:
        """When to ask for a public file's address again, in ms, though it never ends."""
        return self._clock.now_ms() + _ADVISED_MS

    def download_permit(self, document: Mapping[str, Any]) -> Permit:
        """To GET the bytes of a file."""
        return Permit("GET", self.environment.id, document["s3Key"])

    async def statistics(self) -> tuple[int, int]:
        """How many registered files there are, and their bytes."""
        size = offset = 0
        while True:
            page = await self._store.find(Find(FILES, offset=offset, limit=_COUNTED))
            documents = orjson.loads(page.items)
            size += sum(document["size"] for document in documents)
            offset += _COUNTED
            if offset >= page.total or not documents:
                return page.total, size

    # -- changing ---------------------------------------------------------------------------

    async def update(self, actor: FileActor, id: str, change: FileChange) -> dict[str, Any]:
        """Change a file; a new visibility holds from the next request on. Raises FileNotFound,
        FileAccessDenied, InvalidFileName, FileNameTooLong, InvalidParameters."""
        while True:
            document = await self.get(id)
            actor.require_owner(document)
            fields: dict[str, Any] = {}
            if change.name is not None:
                fields["originalName"] = checked_name(change.name)
            if change.visibility is not None:
                fields["visibility"] = change.visibility
            if change.shared_with is not None:
                fields["sharedWith"] = list(dict.fromkeys(change.shared_with))
            guard = all_of()
            if change.metadata is not None:
                fields["metadata"] = _merged(document["metadata"], change.metadata)
                guard = Equals(("metadata",), document["metadata"])
            now = self._clock.now_ms()
            update = Update(FILES, id, set=fields, updated_at=now, guard=guard)
            try:
                [stored] = await self._store.commit([update])
            except Conflict:
                continue
            except Missing:
                raise FileNotFound from None
            assert isinstance(stored, bytes)
            if fields.get("visibility", "public") != "public":
                await self._withdrawn(document["s3Key"])
            return decode(stored)

    async def remove(self, actor: FileActor, id: str) -> None:
        """Remove a file with its bytes. Raises FileNotFound, FileAccessDenied."""
        document = await self.get(id)
        actor.require_owner(document)
        removal = self._removals.of_key(document["s3Key"])
        try:
            await self._store.commit([Delete(FILES, id), removal])
        except Missing:
            raise FileNotFound from None
        await self._removals.carry_out([removal])

    async def sweep(self) -> None:
        """Drop intents and uploads in parts that nobody goes on with (30 §2, §4)."""
        await self._sweeping.sweep()


def _without_nulls(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if value is not None}


def _merged(held: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return check_metadata_size(_without_nulls({**held, **given}))
    except ValueError as error:
        detail = {"field": "metadata", "rule": "maxLength", "message": str(error)}
        raise InvalidParameters(str(error), details=[detail]) from None  # type: ignore[list-item]
