"""`/v1/files`: parse, call, answer (30 §5). Bodies are read once the caller is admitted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, StringConstraints

from bkend.errors import InvalidParameters
from bkend.files import bodies, shapes
from bkend.files.callers import Creates, CurrentFiles, Deletes, Lists, RawUrl, Reads, Updates
from bkend.files.downloads import download_address
from bkend.files.errors import (
    FileAccessDenied,
    FileNameTooLong,
    FileNotFound,
    FileTooLarge,
    FileTooSmall,
    InvalidFileFormat,
    InvalidFileName,
    InvalidFilePath,
    KeyAlreadyExists,
    KeyTooLong,
    MimeTypeTooLong,
    SizeNegative,
)
from bkend.files.listing import FileQuery, SortBy
from bkend.files.names import BUCKETS, Bucket, Category, OwnerType, Visibility
from bkend.files.receiving_forms import receive_form
from bkend.http.dependencies import KEYED, CurrentExchange
from bkend.http.manage.bodies import Page, answer, documented, read_body
from bkend.http.openapi import Route, answers
from bkend.users.listing import Direction

router = APIRouter(prefix="/v1/files", tags=["files"], responses=KEYED, route_class=Route)

_Blank = BeforeValidator(lambda value: value or None)
_Text = Annotated[str, StringConstraints(max_length=200)]
UPLOAD_REFUSALS = (
    InvalidParameters,
    InvalidFileName,
    FileNameTooLong,
    InvalidFileFormat,
    MimeTypeTooLong,
    FileTooSmall,
    FileTooLarge,
)
"""What an upload as a form is refused with."""
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "visibility": {"type": "string"},
                        "category": {"type": "string"},
                        "metadata": {"type": "string", "description": "JSON"},
                    },
                }
            }
        },
    }
}


class Filters:
    """The filters of a list; empty ones count as not given."""

    def __init__(
        self,
        visibility: Annotated[Visibility | None, _Blank] = None,
        ownerType: Annotated[OwnerType | None, _Blank] = None,
        ownerId: Annotated[_Text | None, _Blank] = None,
        bucket: Annotated[Bucket | None, _Blank] = None,
        category: Annotated[Category | None, _Blank] = None,
        mimeType: Annotated[
            _Text, Query(description="exact, or image/*; several with commas")
        ] = "",
        search: _Text = "",
        sortBy: SortBy = "createdAt",
        sortDirection: Direction = "desc",
    ) -> None:
        self.visibility = visibility
        self.owner_type = ownerType
        self.owner_id = ownerId
        self.bucket = bucket
        self.category = category
        self.mime_types = tuple(
            kind.strip().lower() for kind in mimeType.split(",") if kind.strip()
        )
        self.search = search
        self.sort_by = sortBy
        self.descending = sortDirection == "desc"

    def query(self, paging: Page) -> FileQuery:
        """As the service takes it."""
        return FileQuery(
            page=paging.page,
            limit=paging.limit,
            sort_by=self.sort_by,
            descending=self.descending,
            visibility=self.visibility,
            owner_type=self.owner_type,
            owner_id=self.owner_id,
            bucket=self.bucket,
            category=self.category,
            mime_types=self.mime_types,
            search=self.search,
        )


@router.post(
    "/presigned-url",
    responses=answers(
        200,
        shapes.UploadAddress,
        InvalidFileName,
        FileNameTooLong,
        InvalidFileFormat,
        MimeTypeTooLong,
        SizeNegative,
        FileTooSmall,
        FileTooLarge,
    ),
    openapi_extra=documented(bodies.NewUpload),
)
async def request_upload(
    actor: Creates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """An address to PUT a file to within 15 minutes, without key or token."""
    body = await read_body(exchange, bodies.NewUpload)
    return answer(await files.uploads.presign(actor, body.wanted(), raw))


@router.post("/upload", responses=answers(201, shapes.File, *UPLOAD_REFUSALS), openapi_extra=FORM)
async def upload(
    actor: Creates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """Upload and register a file in one call, as a form."""
    return answer(shapes.file(await receive_form(exchange, files, actor), raw), 201)


@router.get("/buckets", responses=answers(200, shapes.BucketList))
async def list_buckets(actor: Lists) -> Response:
    """The names of the six buckets."""
    return answer({"items": [{"name": name} for name in BUCKETS]})


@router.post(
    "",
    responses=answers(
        201,
        shapes.File,
        FileNotFound,
        FileAccessDenied,
        InvalidFileName,
        FileNameTooLong,
        InvalidFileFormat,
        MimeTypeTooLong,
        SizeNegative,
        FileTooSmall,
        FileTooLarge,
        KeyTooLong,
        InvalidFilePath,
        KeyAlreadyExists,
    ),
    openapi_extra=documented(bodies.NewFile),
)
async def register(
    actor: Creates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """Register what was uploaded; only then it is listed."""
    body = await read_body(exchange, bodies.NewFile)
    made = await files.register(actor, body.s3Key, body.registration())
    return answer(shapes.file(made, raw), 201)


@router.get("", responses=answers(200, shapes.FileList))
async def list_files(
    actor: Lists,
    files: CurrentFiles,
    raw: RawUrl,
    paging: Page,
    filters: Annotated[Filters, Depends()],
) -> Response:
    """A page of the files that the caller may see, each as it may see it."""
    items, total = await files.page(actor, filters.query(paging))
    return answer(paging.shape([shapes.seen(one, actor, raw) for one in items], total))


@router.get(
    "/{file_id}",
    responses=answers(200, shapes.File | shapes.PublicFile, FileNotFound, FileAccessDenied),
)
async def get_file(file_id: str, actor: Reads, files: CurrentFiles, raw: RawUrl) -> Response:
    """A file: whole for its owner and admins, for others its public view."""
    return answer(shapes.seen(await files.read(actor, file_id), actor, raw))


@router.patch(
    "/{file_id}",
    responses=answers(
        200, shapes.File, FileNotFound, FileAccessDenied, InvalidFileName, FileNameTooLong
    ),
    openapi_extra=documented(bodies.FileUpdate),
)
async def update_file(
    file_id: str, actor: Updates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """Change name, visibility, metadata, sharedWith; owner and admins only."""
    actor.require_owner(await files.get(file_id))
    body = await read_body(exchange, bodies.FileUpdate)
    return answer(shapes.file(await files.update(actor, file_id, body.change()), raw))


@router.patch(
    "/{file_id}/visibility",
    responses=answers(200, shapes.File, FileNotFound, FileAccessDenied),
    openapi_extra=documented(bodies.VisibilityUpdate),
)
async def update_visibility(
    file_id: str, actor: Updates, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """Change who may see the file; owner and admins only."""
    actor.require_owner(await files.get(file_id))
    body = await read_body(exchange, bodies.VisibilityUpdate)
    change = bodies.FileUpdate(visibility=body.visibility).change()
    return answer(shapes.file(await files.update(actor, file_id, change), raw))


@router.delete("/{file_id}", responses=answers(200, shapes.Success, FileNotFound, FileAccessDenied))
async def delete_file(file_id: str, actor: Deletes, files: CurrentFiles) -> Response:
    """Delete a file with its bytes, for good; owner and admins only."""
    await files.remove(actor, file_id)
    return answer({"success": True})


@router.post(
    "/{file_id}/complete",
    responses=answers(
        200,
        shapes.File,
        FileNotFound,
        FileAccessDenied,
        FileTooSmall,
        FileTooLarge,
        KeyAlreadyExists,
    ),
)
async def complete(file_id: str, actor: Creates, files: CurrentFiles, raw: RawUrl) -> Response:
    """Register an upload as it was announced; may be repeated."""
    return answer(shapes.file(await files.complete(actor, file_id), raw))


@router.post(
    "/{file_id}/download-url",
    responses=answers(200, shapes.DownloadAddress, FileNotFound, FileAccessDenied),
)
@router.get(
    "/{file_id}/download-url",
    responses=answers(200, shapes.DownloadAddress, FileNotFound, FileAccessDenied),
)
async def download_url(
    file_id: str, actor: Reads, files: CurrentFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """Where to GET the bytes: for good where the file is public, else for an hour."""
    document = await files.read(actor, file_id)
    return answer(await download_address(files, document, raw))


@router.get("/{file_id}/download", responses=answers(302, None, FileNotFound, FileAccessDenied))
async def download(file_id: str, actor: Reads, files: CurrentFiles, raw: RawUrl) -> Response:
    """Leads to the bytes."""
    found = await download_address(files, await files.read(actor, file_id), raw)
    headers = {"Location": found["url"], "Cache-Control": "no-store"}
    return Response(status_code=302, headers=headers)
