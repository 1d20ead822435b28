"""Bodies of `/v1/files` (30 §5)."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from bkend.errors import Detail, InvalidParameters
from bkend.files.errors import InvalidPartNumber, InvalidParts
from bkend.files.fields import Metadata, SharedWith, Side
from bkend.files.multipart import MOST_PARTS, ListedPart
from bkend.files.names import Bucket, Category, Visibility
from bkend.files.service import FileChange, Registration
from bkend.files.uploads import Wanted
from bkend.http.manage.bodies import Body

_LONGEST_ETAG = 64


class NewUpload(Body):
    """What is to be uploaded; an empty type is `application/octet-stream`."""

    filename: str
    contentType: str
    fileSize: int | None = None
    visibility: Visibility | None = None
    category: Category | None = None

    def wanted(self) -> Wanted:
        """As the service takes it."""
        return Wanted(
            self.filename, self.contentType, self.fileSize, self.visibility, self.category
        )


class NewMultipartUpload(NewUpload):
    """The same in parts, whose total size is needed."""

    fileSize: int


class NewFile(Body):
    """What an uploaded object becomes; of size the real one counts."""

    s3Key: str
    originalName: str
    mimeType: str
    size: int
    width: Side | None = None
    height: Side | None = None
    visibility: Visibility | None = None
    bucket: Bucket | None = None
    metadata: Metadata | None = None
    sharedWith: SharedWith | None = None

    def registration(self) -> Registration:
        """As the service takes it."""
        return Registration(
            name=self.originalName,
            content_type=self.mimeType,
            size=self.size,
            width=self.width,
            height=self.height,
            visibility=self.visibility,
            bucket=self.bucket,
            metadata=self.metadata or {},
            shared_with=self.sharedWith or (),
        )


class FileUpdate(Body):
    """What is sent is changed. `metadata` is merged, null removes one of its keys."""

    originalName: str | None = None
    visibility: Visibility | None = None
    metadata: Metadata | None = None
    sharedWith: SharedWith | None = None

    def change(self) -> FileChange:
        """As the service takes it."""
        return FileChange(self.originalName, self.visibility, self.metadata, self.sharedWith)


class VisibilityUpdate(Body):
    """Who may see the file."""

    visibility: Visibility


class UploadReference(Body):
    """An upload in parts that is under way."""

    key: str
    uploadId: str


class PartRequest(Body):
    """A part by its number."""

    partNumber: Any


class PartReference(UploadReference, PartRequest):
    """A part of an upload."""


class PartList(Body):
    """The parts to make the file of: `[{"partNumber": 1, "etag": "…"}]`."""

    parts: Any


class UploadCompletion(UploadReference, PartList):
    """The parts of an upload."""


class FormFields(Body):
    """The texts beside the file in a form; `metadata` as JSON."""

    visibility: Visibility | None = None
    category: Category | None = None
    metadata: Metadata | None = None


def part_number(given: Any) -> int:
    """Raises InvalidPartNumber."""
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_PARTS:
        raise InvalidPartNumber
    return given


def listed_parts(given: Any) -> list[ListedPart]:
    """Raises InvalidParts."""
    if not isinstance(given, list) or not given or len(given) > MOST_PARTS:
        raise InvalidParts
    return [_listed(part) for part in given]


def _listed(part: Any) -> ListedPart:
    number = part.get("partNumber") if isinstance(part, dict) else None
    etag = part.get("etag") if isinstance(part, dict) else None
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not (is_number and isinstance(etag, str) and len(etag) <= _LONGEST_ETAG):
        raise InvalidParts
    return ListedPart(int(number or 0), etag)


def form_fields(texts: dict[str, bytes]) -> FormFields:
    """The texts of a form; empty ones count as not sent. Raises InvalidParameters."""
    given: dict[str, Any] = {}
    for name in FormFields.model_fields.keys() & texts.keys():
        try:
            text = texts[name].decode()
            if text:
                given[name] = orjson.loads(text) if name == "metadata" else text
        except ValueError:
            raise _invalid(name) from None
    try:
        return FormFields.model_validate(given)
    except ValidationError as error:
        raise _invalid(str(error.errors()[0]["loc"][0])) from None


def _invalid(name: str) -> InvalidParameters:
    message = f"{name} is not valid"
    detail: Detail = {"field": name, "rule": "value", "message": message}
    return InvalidParameters(message, details=[detail])
