"""Objects in a bucket of Amazon S3, or of a server that speaks its protocol.

A key is the object's name in the bucket, behind the prefix. An object appears when S3 has all of
it: one PUT of known length, or the completion of a multipart upload. A key with a backslash is
refused: some servers read it as `/`, and what follows could lead to another object.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from bkend.clock import Clock
from bkend.objects.interface import (
    InvalidKey,
    ObjectInfo,
    PartInfo,
    UnknownUpload,
    UploadInfo,
    segments,
)
from bkend.objects.s3_client import AbsentObject, S3Client
from bkend.objects.s3_lengths import LengthCheck
from bkend.objects.s3_reading import S3Object
from bkend.objects.s3_spool import spooled
from bkend.objects.s3_url import S3Address
from bkend.objects.signing import QuerySigner

LARGEST_PUT = 5 * 1024**3
"""What S3 takes in one PUT, bytes."""
_LISTED = 1000
_CHECK = ".bkend-check"
_UPLOAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+=-]{0,1023}")


class S3Objects:
    """The object store in a bucket; any number of processes and hosts may share it."""

    def __init__(self, address: S3Address, clock: Clock) -> None:
        self._address = address
        self._client = S3Client(address)
        self._signer = QuerySigner(address.credentials, address.region, clock)
        self._lengths = LengthCheck(self._client, self._name(_CHECK), self._probe_address)

    async def check(self) -> None:
        """List and write once, leaving nothing. ObjectsUnavailable is that S3 is not reached."""
        await self._client.call("list_objects_v2", Prefix=self._address.prefix, MaxKeys=1)
        upload_id = await self.begin_multipart(_CHECK)
        await self.abort_multipart(_CHECK, upload_id)

    def close(self) -> None:
        """Let threads and connections go."""
        self._client.close()

    async def put(
        self,
        key: str,
        parts: AsyncIterable[bytes],
        *,
        limit: int,
        content_type: str = "application/octet-stream",
    ) -> ObjectInfo:
        """Take everything first, then send it in one request that S3 carries out or not."""
        name = self._name(key)
        async with spooled(parts, min(limit, LARGEST_PUT)) as taken:
            answer = await self._client.call(
                "put_object",
                Key=name,
                Body=taken.file,
                ContentLength=taken.size,
                ContentType=content_type,
            )
        return ObjectInfo(key, taken.size, _answered(answer), _etag(answer), taken.md5)

    async def open(self, key: str) -> S3Object | None:
        """Begin to fetch the object: S3 sends these bytes to the end, whatever becomes of it."""
        name = self._name(key)
        try:
            answer = await self._client.call("get_object", Key=name)
        except AbsentObject:
            return None
        return S3Object(self._client, name, _info(key, answer), answer["Body"])

    def seen(self, key: str) -> tuple[ObjectInfo, str] | None:
        """S3 is always asked."""
        return None

    async def head(self, key: str) -> ObjectInfo | None:
        """What S3 knows of the object."""
        try:
            return _info(key, await self._client.call("head_object", Key=self._name(key)))
        except AbsentObject:
            return None

    async def delete(self, key: str) -> bool:
        """Remove the object. S3 does not tell whether there was one, so it is asked before; of two
        calls at the same moment both may be told that there was."""
        if await self.head(key) is None:
            return False
        await self._client.call("delete_object", Key=self._name(key))
        return True

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """Page by page; what is put or deleted meanwhile may be among them or not."""
        folder, _, _ = prefix.rpartition("/")
        if folder:
            segments(folder)
        ours = self._address.prefix
        more: dict[str, str] = {}
        while True:
            page = await self._client.call(
                "list_objects_v2", Prefix=ours + prefix, MaxKeys=_LISTED, **more
            )
            for found in page.get("Contents", ()):
                if _is_key(key := found["Key"].removeprefix(ours)):
                    yield key
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    # -- multipart uploads ----------------------------------------------------------------------

    async def begin_multipart(
        self, key: str, *, content_type: str = "application/octet-stream"
    ) -> str:
        """S3's own upload and its id."""
        answer = await self._client.call(
            "create_multipart_upload", Key=self._name(key), ContentType=content_type
        )
        return str(answer["UploadId"])

    async def put_part(
        self, key: str, upload_id: str, number: int, parts: AsyncIterable[bytes], *, limit: int
    ) -> PartInfo:
        """Take the whole part first, then send it in one request."""
        upload = self._upload(key, upload_id)
        async with spooled(parts, min(limit, LARGEST_PUT)) as taken:
            answer = await self._client.call(
                "upload_part",
                **upload,
                PartNumber=number,
                Body=taken.file,
                ContentLength=taken.size,
            )
        return PartInfo(number, taken.size, _etag(answer), _answered(answer))

    async def list_parts(self, key: str, upload_id: str) -> list[PartInfo]:
        """The parts that S3 has, page by page."""
        upload = self._upload(key, upload_id)
        found: dict[int, PartInfo] = {}
        more: dict[str, int] = {}
        while True:
            page = await self._client.call("list_parts", **upload, MaxParts=_LISTED, **more)
            for listed in page.get("Parts", ()):
                part = _part(listed)
                held = found.get(part.number)
                if held is None or held.modified_at < part.modified_at:  # some keep replaced ones
                    found[part.number] = part
            if not page.get("IsTruncated"):
                return [found[number] for number in sorted(found)]
            more = {"PartNumberMarker": page["NextPartNumberMarker"]}

    async def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[PartInfo]
    ) -> ObjectInfo:
        """S3 joins the parts. It refuses parts under 5 MiB other than the last: UnknownUpload."""
        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in parts]
        upload = self._upload(key, upload_id)
        try:
            await self._client.call(
                "complete_multipart_upload", **upload, MultipartUpload={"Parts": listed}
            )
        except UnknownUpload as error:
            done = await self.head(key) if _was_repeated(error) else None
            if done is None or done.etag != _joined_etag(parts):
                raise
            return done  # the answer to the first try was lost
        info = await self.head(key)
        if info is None:
            raise UnknownUpload("the object was deleted as soon as it was complete")
        return info

    async def abort_multipart(self, key: str, upload_id: str) -> bool:
        """Remove S3's upload; asked for first, since S3 may not tell whether there was one."""
        try:
            upload = self._upload(key, upload_id)
            await self._client.call("list_parts", **upload, MaxParts=1)
            await self._client.call("abort_multipart_upload", **upload)
        except UnknownUpload:
            return False
        return True

    async def uploads(self) -> AsyncIterator[UploadInfo]:
        """Page by page, those below the prefix."""
        ours = self._address.prefix
        more: dict[str, str] = {}
        while True:
            page = await self._client.call(
                "list_multipart_uploads", Prefix=ours, MaxUploads=_LISTED, **more
            )
            for found in page.get("Uploads", ()):
                if _is_key(key := found["Key"].removeprefix(ours)):
                    yield UploadInfo(key, found["UploadId"], _ms(found["Initiated"]))
            if not page.get("IsTruncated"):
                return
            more = {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    # -- addresses past this server -------------------------------------------------------------

    async def presign_put(
        self, key: str, *, seconds: int, limit: int, content_type: str
    ) -> str | None:
        """An address for a body of exactly `limit` bytes, of any type: S3 can hold an upload to a
        length that is signed, not below a bound. Ask for it only where the length is known. None
        where S3 does not check even that."""
        self._name(key)
        if self._address.proxied or not 0 < limit <= LARGEST_PUT:
            return None
        if not await self._lengths.is_held():
            return None
        return self._signed("PUT", key, seconds, headers=_length(limit))

    async def presign_get(
        self, key: str, *, seconds: int, content_type: str, disposition: str, cache_control: str
    ) -> str | None:
        """An address whose answer has these headers instead of the stored ones."""
        answered = {
            "response-cache-control": cache_control,
            "response-content-disposition": disposition,
            "response-content-type": content_type,
        }
        return self._signed("GET", key, seconds, query=answered)

    async def presign_part(
        self, key: str, upload_id: str, number: int, *, seconds: int
    ) -> str | None:
        """An address for one part, of at most 5 GiB as everywhere in S3."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        return self._signed("PUT", key, seconds, query=query)

    def _signed(self, method: str, key: str, seconds: int, **signed: Any) -> str | None:
        self._name(key)
        if self._address.proxied:
            return None
        endpoint, path = self._address.client_endpoint, self._address.path(key)
        return self._signer.sign(method, endpoint, path, seconds=seconds, **signed)

    def _probe_address(self, length: int) -> str:
        endpoint, path = self._address.object_endpoint, self._address.path(_CHECK)
        return self._signer.sign("PUT", endpoint, path, seconds=60, headers=_length(length))

    def _name(self, key: str) -> str:
        """The object's name in the bucket; raises InvalidKey."""
        segments(key)
        if "\\" in key:
            raise InvalidKey("a key in S3 has no backslash")
        return self._address.prefix + key

    def _upload(self, key: str, upload_id: str) -> dict[str, str]:
        name = self._name(key)
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise UnknownUpload("no id of an upload")
        return {"Key": name, "UploadId": upload_id}


def _length(size: int) -> dict[str, str]:
    return {"content-length": str(size)}


def _info(key: str, answer: Any) -> ObjectInfo:
    return ObjectInfo(key, answer["ContentLength"], _ms(answer["LastModified"]), _etag(answer))


def _part(listed: Any) -> PartInfo:
    number, size, modified_at = listed["PartNumber"], listed["Size"], _ms(listed["LastModified"])
    return PartInfo(number, size, _etag(listed), modified_at)


def _etag(answer: Any) -> str:
    return str(answer["ETag"]).strip('"')


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _answered(answer: Any) -> int:
    """When S3 answered, by its own clock: the object's time, without asking for it."""
    return _ms(parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]))


def _is_key(name: str) -> bool:
    """Whether an object can be one of ours: other programs make folders that end in `/`."""
    try:
        segments(name)
    except InvalidKey:
        return False
    return name != _CHECK


def _was_repeated(error: UnknownUpload) -> bool:
    cause: Any = error.__cause__
    answer = getattr(cause, "response", {})
    return bool(answer.get("ResponseMetadata", {}).get("RetryAttempts"))


def _joined_etag(parts: Sequence[PartInfo]) -> str:
    """The tag that S3 gives to an object of these parts; empty where their tags are no digests."""
    try:
        digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    except ValueError:
        return ""
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
