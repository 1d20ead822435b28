"""Refusals of the file API, one class per code (30 §9)."""

from __future__ import annotations

from bkend.errors import ApiError


class FileNotFound(ApiError):
    """Unknown, unregistered, deleted, or of another environment: never said which."""

    status, code, default_message = 404, "file/not-found", "There is no such file"


class FileAccessDenied(ApiError):
    """The file exists, but not for this caller."""

    status, code = 403, "file/access-denied"
    default_message = "You are not allowed to do this with this file"


class InvalidFileName(ApiError):
    """Empty, or with characters that no file name has."""

    status, code = 400, "file/invalid-name"
    default_message = "The file name must not be empty nor contain /, \\ or control characters"


class FileNameTooLong(ApiError):
    """Over 255 characters."""

    status, code = 400, "file/original-name-too-long"
    default_message = "The file name has at most 255 characters"


class InvalidFileFormat(ApiError):
    """Not `type/subtype`."""

    status, code = 400, "file/invalid-format"
    default_message = "The content type has the form type/subtype"


class MimeTypeTooLong(ApiError):
    """Over 127 characters."""

    status, code = 400, "file/mime-type-too-long"
    default_message = "The content type has at most 127 characters"


class SizeNegative(ApiError):
    """Below zero."""

    status, code = 400, "file/size-negative"
    default_message = "The size must not be negative"


class FileTooSmall(ApiError):
    """No byte at all."""

    status, code, default_message = 400, "file/file-too-small", "A file has at least one byte"


class FileTooLarge(ApiError):
    """More than one upload may hold."""

    status, code = 400, "file/file-too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file is larger than {limit} bytes")


class UploadTooLarge(ApiError):
    """More bytes came than the signed address takes (30 §5.2)."""

    status, code = 413, "file/file-too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file is larger than {limit} bytes")


class KeyTooLong(ApiError):
    """Over 1024 characters."""

    status, code = 400, "file/s3-key-too-long"
    default_message = "The key has at most 1024 characters"


class InvalidFilePath(ApiError):
    """A key that was never given out here."""

    status, code, default_message = 400, "file/invalid-path", "This key was never given out here"


class KeyAlreadyExists(ApiError):
    """The key belongs to a registered file."""

    status, code = 409, "file/s3-key-already-exists"
    default_message = "The file with this key is registered already"


class InvalidPartNumber(ApiError):
    """Not a whole number from 1 to 10000."""

    status, code = 400, "file/invalid-part-number-range"
    default_message = "partNumber is a whole number from 1 to 10000"


class InvalidParts(ApiError):
    """The list of parts does not fit what was uploaded."""

    status, code = 400, "file/invalid-parts-array"
    default_message = "parts lists each uploaded part once, with its number and etag"


class UploadInitFailed(ApiError):
    """The object store could not begin the upload."""

    status, code = 500, "file/upload-init-failed"
    default_message = "The upload could not be begun; try again"


class BucketNotConfigured(ApiError):
    """The object store refuses until somebody changes its configuration or ours."""

    status, code = 500, "file/bucket-not-configured"
    default_message = "The server has no working place for files; its operator finds out why"


class RangeNotSatisfiable(ApiError):
    """None of the asked bytes exist."""

    status, code = 416, "file/range-not-satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(
            "The range lies outside the file", headers={"Content-Range": f"bytes */{size}"}
        )
