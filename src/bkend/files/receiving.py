"""Bytes that come in by a signed PUT (30 §5.2, §5.9)."""

from __future__ import annotations

from typing import Any

from bkend.core import Core
from bkend.errors import Detail, InvalidParameters
from bkend.files.collections import FILES
from bkend.files.errors import (
    FileAccessDenied,
    KeyAlreadyExists,
    UploadTooLarge,
)
from bkend.files.service import Files
from bkend.files.signing import Permit, Signature, read_signature
from bkend.http.exchange import Exchange
from bkend.http.gate import check_environment

_EXPIRED = "Request has expired"


async def receive_signed(core: Core, exchange: Exchange, key: str) -> str:
    """Store what is PUT to a signed address; its MD5 in hex.

    Raises FileAccessDenied, KeyAlreadyExists, UploadTooLarge, FileTooSmall, FileNotFound;
    Disconnected, and nothing is kept, when the body is cut off.
    """
    signature = read_signature(exchange.query_string)
    environment_id = await core.places.environment_of(key) if signature else None
    environment = await core.environments.get(environment_id) if environment_id else None
    if environment is None or signature is None or signature.environment_id:
        raise FileAccessDenied(_EXPIRED)
    check_environment(environment)
    files = environment.services.files
    upload = await files.uploads.of_key(key)
    if upload is None:
        await _refuse(core, files, key, signature)
    assert upload is not None
    permit = _permit(files, upload, signature)
    if permit is None or not core.file_signer.accepts(permit, signature):
        raise FileAccessDenied(_EXPIRED)
    size = _announced(exchange, min(permit.limit, upload["limit"]))
    if signature.upload_id:
        part = await files.multipart.receive_part(upload, signature.part, exchange.stream(), size)
        return part.etag
    stored = await files.uploads.receive(upload, exchange.stream(), size)
    return stored.md5 or stored.etag


def _permit(files: Files, upload: dict[str, Any], signature: Signature) -> Permit | None:
    if not signature.upload_id:
        # What is uploaded in parts takes no PUT of the whole, neither before nor afterwards.
        return None if upload.get("inParts") else files.uploads.permit(upload)
    if upload["uploadId"] != signature.upload_id:
        return None
    return files.multipart.permit(upload, signature.part)


async def _refuse(core: Core, files: Files, key: str, signature: Signature) -> None:
    """Raises KeyAlreadyExists to whom the address was given, if the file is registered by now;
    else FileAccessDenied."""
    registered = await files.uploads.of_key(key, FILES)
    if registered is not None and registered.get("limit") is not None:
        permit = files.uploads.permit(registered)
        if not signature.upload_id and core.file_signer.accepts(permit, signature):
            raise KeyAlreadyExists
    raise FileAccessDenied(_EXPIRED)


def _announced(exchange: Exchange, limit: int) -> int:
    """The length of the body. Without an announced one a body that is cut off looks like a whole.
    Raises InvalidParameters, UploadTooLarge."""
    announced = exchange.headers.get("content-length")
    if announced is None or not announced.isdigit():
        message = "Send the Content-Length of the file"
        detail: Detail = {"field": "Content-Length", "rule": "required", "message": message}
        raise InvalidParameters(message, details=[detail])
    if int(announced) > limit:
        raise UploadTooLarge(limit)
    return int(announced)
