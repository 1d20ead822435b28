"""`/v1/files/multipart`: uploads in parts, and the other names of these calls (30 §5.9, §5.10)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.files import bodies, shapes
from bkend.files.callers import Creates, CurrentFiles, Deletes, RawUrl
from bkend.files.errors import (
    FileAccessDenied,
    FileNameTooLong,
    FileNotFound,
    FileTooLarge,
    FileTooSmall,
    InvalidFileFormat,
    InvalidFileName,
    InvalidPartNumber,
    InvalidParts,
    MimeTypeTooLong,
    SizeNegative,
)
from bkend.http.dependencies import KEYED, CurrentExchange
from bkend.http.manage.bodies import answer, documented, read_body
from bkend.http.openapi import Route, answers

router = APIRouter(prefix="/v1/files/multipart", tags=["files"], responses=KEYED, route_class=Route)


_BEGINNING = (
    InvalidFileName,
    FileNameTooLong,
    InvalidFileFormat,
    MimeTypeTooLong,
    SizeNegative,
    FileTooSmall,
    FileTooLarge,
)


@router.post(
    "/init",
    responses=answers(200, shapes.MultipartUpload, *_BEGINNING),
    openapi_extra=documented(bodies.NewMultipartUpload),
)
@router.post(
    "/initiate",
    responses=answers(200, shapes.MultipartUpload, *_BEGINNING),
    openapi_extra=documented(bodies.NewMultipartUpload),
)
async def begin(actor: Creates, files: CurrentFiles, exchange: CurrentExchange) -> Response:
    """Begin an upload in parts."""
    body = await read_body(exchange, bodies.NewMultipartUpload)
    return answer(await files.multipart.begin(actor, body.wanted()))


@router.post(
    "/presigned-url",
    responses=answers(200, shapes.PartAddress, FileNotFound, FileAccessDenied, InvalidPartNumber),
    openapi_extra=documented(bodies.PartReference),
)
async def request_part(
    actor: Creates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """An address to PUT one part to within 15 minutes; the answer's ETag is needed at the end."""
    body = await read_body(exchange, bodies.PartReference)
    number = bodies.part_number(body.partNumber)
    found = await files.multipart.find(actor, body.uploadId, body.key)
    return answer(await files.multipart.presign_part(found, number, raw))


@router.post(
    "/complete",
    responses=answers(
        200,
        shapes.CompletedUpload,
        FileNotFound,
        FileAccessDenied,
        InvalidParts,
        FileTooSmall,
        FileTooLarge,
    ),
    openapi_extra=documented(bodies.UploadCompletion),
)
async def complete(
    actor: Creates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """Make one object of the listed parts; it is still to be registered."""
    body = await read_body(exchange, bodies.UploadCompletion)
    found = await files.multipart.find(actor, body.uploadId, body.key)
    listed = bodies.listed_parts(body.parts)
    return answer(await files.multipart.complete(found, listed, raw))


@router.post(
    "/abort",
    responses=answers(200, shapes.AbortedUpload, FileNotFound, FileAccessDenied),
    openapi_extra=documented(bodies.UploadReference),
)
async def abort(actor: Deletes, files: CurrentFiles, exchange: CurrentExchange) -> Response:
    """Drop an upload with its parts."""
    body = await read_body(exchange, bodies.UploadReference)
    found = await files.multipart.find(actor, body.uploadId, body.key)
    await files.multipart.abort(found)
    return answer({"success": True, "key": found["s3Key"]})


@router.post(
    "/{upload_id}/part-url",
    responses=answers(200, shapes.PartAddress, FileNotFound, FileAccessDenied, InvalidPartNumber),
    openapi_extra=documented(bodies.PartRequest),
)
async def request_part_of(
    upload_id: str, actor: Creates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """The same as `presigned-url`, the key implied."""
    body = await read_body(exchange, bodies.PartRequest)
    number = bodies.part_number(body.partNumber)
    found = await files.multipart.find(actor, upload_id, None)
    return answer(await files.multipart.presign_part(found, number, raw))


@router.post(
    "/{upload_id}/complete",
    responses=answers(
        200,
        shapes.CompletedUpload,
        FileNotFound,
        FileAccessDenied,
        InvalidParts,
        FileTooSmall,
        FileTooLarge,
    ),
    openapi_extra=documented(bodies.PartList),
)
async def complete_of(
    upload_id: str, actor: Creates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """The same as `complete`, the key implied."""
    body = await read_body(exchange, bodies.PartList)
    found = await files.multipart.find(actor, upload_id, None)
    listed = bodies.listed_parts(body.parts)
    return answer(await files.multipart.complete(found, listed, raw))


@router.post(
    "/{upload_id}/abort",
    responses=answers(200, shapes.AbortedUpload, FileNotFound, FileAccessDenied),
)
async def abort_of(upload_id: str, actor: Deletes, files: CurrentFiles) -> Response:
    """The same as `abort`, the key implied."""
    found = await files.multipart.find(actor, upload_id, None)
    await files.multipart.abort(found)
    return answer({"success": True, "key": found["s3Key"]})
