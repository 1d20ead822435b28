"""Files as they are answered (30 §3, §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination
from bkend.files.actor import FileActor
from bkend.files.names import Bucket, Category, OwnerType, Visibility, address_of


class PublicFile(TypedDict):
    """What everybody sees who sees the file at all."""

    id: str
    s3Key: str
    key: str
    originalName: str
    mimeType: str
    size: int
    width: NotRequired[int]
    height: NotRequired[int]
    visibility: Visibility
    url: str | None
    createdAt: str
    updatedAt: str


class File(PublicFile):
    """What its owner and admins see."""

    ownerId: str
    ownerType: OwnerType
    bucket: Bucket
    category: Category | None
    sharedWith: list[str]
    metadata: dict[str, Any]


class FileList(TypedDict):
    """A page of files, each as the caller may see it."""

    items: list[File | PublicFile]
    pagination: Pagination


class UploadAddress(TypedDict):
    """Where to PUT the bytes."""

    url: str
    key: str
    filename: str
    contentType: str
    fileId: str
    method: Literal["PUT"]
    expiresAt: str


class DownloadAddress(TypedDict):
    """Where to GET the bytes."""

    url: str
    filename: str
    contentType: str
    size: int
    expiresAt: str
    permanent: bool


class MultipartUpload(TypedDict):
    """An upload in parts."""

    uploadId: str
    key: str
    filename: str
    fileId: str


class PartAddress(TypedDict):
    """Where to PUT one part."""

    url: str
    partNumber: int
    expiresAt: str


class CompletedUpload(TypedDict):
    """The object that the parts have become; it is still to be registered."""

    key: str
    location: str


class AbortedUpload(TypedDict):
    """What is no more."""

    success: bool
    key: str


class Success(TypedDict):
    """It was done."""

    success: bool


class BucketName(TypedDict):
    """One of the six."""

    name: Bucket


class BucketList(TypedDict):
    """The buckets."""

    items: list[BucketName]


class FileStatistics(TypedDict):
    """How many registered files there are, and their bytes."""

    fileCount: int
    storageBytes: int


def public_file(document: Mapping[str, Any], raw: str) -> PublicFile:
    """The public view; `raw` is the base of public addresses, without a trailing slash."""
    key, visibility = document["s3Key"], document["visibility"]
    found: PublicFile = {
        "id": document["id"],
        "s3Key": key,
        "key": key,
        "originalName": document["originalName"],
        "mimeType": document["mimeType"],
        "size": document["size"],
        "visibility": visibility,
        "url": address_of(raw, key) if visibility == "public" else None,
        "createdAt": document["createdAt"],
        "updatedAt": document["updatedAt"],
    }
    if document.get("width") is not None:
        found["width"] = document["width"]
    if document.get("height") is not None:
        found["height"] = document["height"]
    return found


def file(document: Mapping[str, Any], raw: str) -> File:
    """The whole object."""
    return {
        **public_file(document, raw),
        "ownerId": document["ownerId"],
        "ownerType": document["ownerType"],
        "bucket": document["bucket"],
        "category": document.get("category"),
        "sharedWith": document["sharedWith"],
        "metadata": document["metadata"],
    }


def seen(document: Mapping[str, Any], actor: FileActor, raw: str) -> File | PublicFile:
    """As the actor may see it."""
    return file(document, raw) if actor.owns(document) else public_file(document, raw)
