"""Pictures of users: upload, attach, remove (11 §4)."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from bkend.errors import Detail, InvalidParameters
from bkend.files.signing import FileSigner, Permit
from bkend.files.uploads import UPLOAD_SECONDS
from bkend.manage.environments import EnvironmentState
from bkend.objects.errors import ObjectAccessDenied, ObjectOverLimit, UnsupportedObjectType
from bkend.objects.interface import ObjectInfo, Objects, ObjectTooLarge
from bkend.objects.removals import Removals
from bkend.store import Insert
from bkend.store.documents import format_time
from bkend.users.avatar_keys import (
    TYPES,
    AvatarKey,
    key_in_address,
    new_key,
    parse_key,
    sniff,
    type_of_name,
)
from bkend.users.errors import UserForbidden, UserNotFound
from bkend.users.fields import is_web_address
from bkend.users.records import Revision, UserRecords
from bkend.users.shapes import Upload

LARGEST_AVATAR = 5 * 1024 * 1024
_HEAD = 12


@dataclass(frozen=True, slots=True)
class Picture:
    """A user's image: its address, and its key if this server stores it."""

    address: str | None
    key: str | None


NO_PICTURE = Picture(None, None)


def _nothing(_: dict[str, Any]) -> Revision:
    return Revision({})


class Avatars:
    """The avatars of one environment. Addresses are built on `base`, where bytes are served as
    the caller sees it, without a trailing slash."""

    def __init__(
        self,
        environment: EnvironmentState,
        records: UserRecords,
        objects: Objects,
        removals: Removals,
        signer: FileSigner,
    ) -> None:
        self._environment = environment
        self._records = records
        self._objects = objects
        self._removals = removals
        self._signer = signer

    # -- uploading --------------------------------------------------------------------------

    def upload_url(
        self, document: dict[str, Any], filename: str, content_type: str | None, base: str
    ) -> Upload:
        """Where to PUT a new picture. Raises InvalidParameters."""
        chosen = content_type or type_of_name(filename)
        if chosen is None:
            raise _invalid("contentType", "send contentType: the file name does not tell the type")
        key = new_key(self._environment.name, document["id"], chosen)
        query, expires_at = self._signer.sign(self.permit(key), UPLOAD_SECONDS)
        url = f"{base}/{key}?{query}"
        return {"url": url, "uploadUrl": url, "key": key, "expiresAt": format_time(expires_at)}

    def permit(self, key: str) -> Permit:
        """To PUT a picture."""
        return Permit("PUT", self._environment.id, key, LARGEST_AVATAR, area="avatars")

    async def receive(
        self, key: AvatarKey, content_type: str, parts: AsyncIterable[bytes]
    ) -> ObjectInfo:
        """Store what was sent to a signed address.

        Raises ObjectAccessDenied (the user is gone or banned), UnsupportedObjectType,
        ObjectOverLimit; ObjectsUnavailable.
        """
        await self._require_owner(key)
        if content_type not in TYPES.values():
            raise UnsupportedObjectType
        try:
            stored = await self._objects.put(
                key.key, _of_type(content_type, parts), limit=LARGEST_AVATAR
            )
        except ObjectTooLarge:
            raise ObjectOverLimit(LARGEST_AVATAR) from None
        try:
            await self._require_owner(key)
        except ObjectAccessDenied:  # deleted while the bytes came in
            await self._objects.delete(key.key)
            raise
        return stored

    async def _require_owner(self, key: AvatarKey) -> None:
        try:
            owner = await self._records.get(key.user_id)
        except UserNotFound:
            raise ObjectAccessDenied from None
        if owner.get("status", "active") != "active":
            raise ObjectAccessDenied

    # -- attaching --------------------------------------------------------------------------

    async def attach(self, document: dict[str, Any], key: str, base: str) -> dict[str, Any]:
        """Make an uploaded picture the user's image; the one before is removed.

        Raises UserForbidden (not the user's own key), InvalidParameters (nothing was uploaded).
        """
        found = parse_key(key)
        if found is None or not found.belongs_to(self._environment.name, document["id"]):
            raise UserForbidden("The key is not one of this user's avatars")
        return await self.change(document, await self._stored(found, base))

    async def detach(self, document: dict[str, Any]) -> dict[str, Any]:
        """The user has no image any more."""
        if document.get("image") is None and document.get("avatarKey") is None:
            return document
        return await self.change(document, NO_PICTURE)

    async def resolve(self, document: dict[str, Any], image: str | None, base: str) -> Picture:
        """What a profile's `image` stands for. Raises InvalidParameters."""
        if image is None:
            return NO_PICTURE
        found = parse_key(image)
        if found is not None and found.belongs_to(self._environment.name, document["id"]):
            return await self._stored(found, base)
        if not is_web_address(image):
            raise _invalid("image", "image is an http or https address, or a key of one's own")
        found = key_in_address(image)
        if found is not None and found.belongs_to(self._environment.name, document["id"]):
            bare = image.partition("#")[0].partition("?")[0]  # a signature stays secret
            return Picture(bare, found.key)
        return Picture(image, None)

    async def change(
        self,
        document: dict[str, Any],
        picture: Picture,
        also: Callable[[dict[str, Any]], Revision] = _nothing,
    ) -> dict[str, Any]:
        """Set the image, in one commit with what `also` plans; a stored picture that it replaces is
        removed."""
        removed: list[Insert] = []

        def plan(current: dict[str, Any]) -> Revision:
            removed.clear()
            former = current.get("avatarKey")
            if former is not None and former != picture.key:
                removed.append(self._removals.of(former))
            other = also(current)
            fields = {**other.set, "image": picture.address, "avatarKey": picture.key}
            return Revision(fields, ("avatarKey", *other.derived_from), tuple(removed))

        changed = await self._records.revise(document, plan)
        await self._removals.carry_out(removed)
        return changed

    async def _stored(self, key: AvatarKey, base: str) -> Picture:
        """The picture that was uploaded under the key; raises InvalidParameters."""
        if await self._objects.head(key.key) is None:
            raise _invalid("s3Key", "Nothing was uploaded under this key")
        return Picture(f"{base}/{key.key}", key.key)


async def _of_type(content_type: str, parts: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The parts, once the first bytes are those of the type; raises UnsupportedObjectType."""
    head, is_known = b"", False
    async for part in parts:
        if is_known:
            yield part
            continue
        head += part
        if len(head) >= _HEAD:
            _require_type(head, content_type)
            is_known = True
            yield head
    if not is_known:
        _require_type(head, content_type)
        yield head


def _require_type(head: bytes, content_type: str) -> None:
    if sniff(head) != content_type:
        raise UnsupportedObjectType("The bytes are not a picture of the given Content-Type")


def _invalid(field: str, message: str) -> InvalidParameters:
    detail: Detail = {"field": field, "rule": "value", "message": message}
    return InvalidParameters(message, details=[detail])
