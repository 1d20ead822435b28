"""Refusals at the addresses of stored objects (30 §9)."""

from __future__ import annotations

from bkend.errors import ApiError


class ObjectNotFound(ApiError):
    """Nothing is stored at this address."""

    status, code, default_message = 404, "file/not-found", "There is no file at this address"


class ObjectAccessDenied(ApiError):
    """The signed address has expired, was changed, or is no longer honoured."""

    status, code = 403, "file/access-denied"
    default_message = "The signature of this address is not valid"


class ObjectOverLimit(ApiError):
    """More bytes than the signed address takes."""

    status, code = 413, "file/file-too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file is larger than {limit >> 20} MiB")


class UnsupportedObjectType(ApiError):
    """A type that this address does not take, or bytes that are not of the type they claim."""

    status, code = 415, "file/invalid-format"
    default_message = "Send a JPEG, PNG, GIF or WebP picture with its own Content-Type"
