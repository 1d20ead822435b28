"""`…/environments/{env}/files`: an app's files, for tenants (51 §8).

A tenant sees and changes them as an admin of the app does, with the rights of 51 §4.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from bkend.files import bodies, shapes
from bkend.files.actor import FileActor
from bkend.files.api import FORM, UPLOAD_REFUSALS, Filters
from bkend.files.callers import RawUrl
from bkend.files.downloads import download_address
from bkend.files.errors import FileNameTooLong, FileNotFound, InvalidFileName
from bkend.files.receiving_forms import receive_form
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.admission import DeletesFiles, ReadsFiles, Room, UpdatesFiles
from bkend.http.manage.bodies import (
    Page,
    answer,
    documented,
    read_body,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes.common import Deleted
from bkend.http.openapi import answers

router = APIRouter(
    prefix="/manage/v1/projects/{project}/environments/{env}/files",
    tags=["files"],
    responses=REFUSALS,
    route_class=Route,
)


@router.get("", responses=answers(200, shapes.FileList))
async def list_files(
    room: ReadsFiles, raw: RawUrl, paging: Page, filters: Annotated[Filters, Depends()]
) -> Response:
    """A page of all registered files."""
    items, total = await room.services.files.page(_tenant(room), filters.query(paging))
    return answer(paging.shape([shapes.file(one, raw) for one in items], total))


@router.post("", responses=answers(201, shapes.File, *UPLOAD_REFUSALS), openapi_extra=FORM)
async def upload_file(room: UpdatesFiles, raw: RawUrl, exchange: CurrentExchange) -> Response:
    """Upload and register a file, as a form."""
    made = await receive_form(exchange, room.services.files, _tenant(room))
    return answer(shapes.file(made, raw), 201)


@router.get("/stats", responses=answers(200, shapes.FileStatistics))
async def show_statistics(room: ReadsFiles) -> Response:
    """How many files there are, and their bytes."""
    count, size = await room.services.files.statistics()
    return answer({"fileCount": count, "storageBytes": size})


@router.get("/{id}", responses=answers(200, shapes.File, FileNotFound))
async def get_file(id: str, room: ReadsFiles, raw: RawUrl) -> Response:
    """A file."""
    return answer(shapes.file(await room.services.files.get(id), raw))


@router.patch(
    "/{id}",
    responses=answers(200, shapes.File, FileNotFound, InvalidFileName, FileNameTooLong),
    openapi_extra=documented(bodies.FileUpdate),
)
async def update_file(
    id: str, room: UpdatesFiles, raw: RawUrl, exchange: CurrentExchange
) -> Response:
    """Change name, visibility, metadata, sharedWith."""
    await room.services.files.get(id)
    body = await read_body(exchange, bodies.FileUpdate)
    changed = await room.services.files.update(_tenant(room), id, body.change())
    return answer(shapes.file(changed, raw))


@router.delete("/{id}", responses=answers(200, Deleted, FileNotFound))
async def delete_file(id: str, room: DeletesFiles) -> Response:
    """Delete a file with its bytes, for good."""
    await room.services.files.remove(_tenant(room), id)
    return answer({"deleted": True, "id": id})


@router.post("/{id}/download-url", responses=answers(200, shapes.DownloadAddress, FileNotFound))
async def download_url(id: str, room: ReadsFiles, raw: RawUrl) -> Response:
    """Where to GET the bytes."""
    files = room.services.files
    return answer(await download_address(files, await files.get(id), raw))


def _tenant(room: Room) -> FileActor:
    tenant = room.tenant
    id = tenant.account_id if tenant.key is None else tenant.key.id
    return FileActor(id, "service", is_admin=True)
