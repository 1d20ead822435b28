"""Bytes that come in as a form (30 §5.10)."""

from __future__ import annotations

from typing import Any

from bkend.errors import Detail, InvalidParameters
from bkend.files.actor import FileActor
from bkend.files.bodies import FormFields, form_fields
from bkend.files.errors import FileTooLarge, UploadTooLarge
from bkend.files.forms import FormReader
from bkend.files.names import Category
from bkend.files.service import Files, Registration
from bkend.files.uploads import Wanted
from bkend.http.exchange import Exchange


async def receive_form(exchange: Exchange, files: Files, actor: FileActor) -> dict[str, Any]:
    """Store and register the file of a form; its texts may come before or after it.

    Raises InvalidParameters, FileTooLarge, and what an announced upload may be refused with.
    Nothing is kept then.
    """
    reader = FormReader(exchange.headers.get("content-type") or "", exchange.stream())
    upload: dict[str, Any] | None = None
    texts: dict[str, bytes] = {}
    try:
        while (part := await reader.part()) is not None:
            if part.name == "file":
                if upload is not None:
                    raise _bad_file("Send one file at a time")
                category: Category | None = form_fields(texts).category
                wanted = Wanted(part.filename or "", part.content_type, category=category)
                upload = await files.store(actor, wanted, reader.body())
            else:
                texts[part.name] = await reader.text()
        if upload is None:
            raise _bad_file("Send the file in the field file")
        fields = form_fields(texts)
        return await files.register(actor, upload["s3Key"], _registration(fields))
    except BaseException as error:
        if upload is not None:
            await files.discard(upload)
        if isinstance(error, UploadTooLarge):
            raise FileTooLarge(files.uploads.single_limit) from None
        raise


def _registration(fields: FormFields) -> Registration:
    return Registration(
        visibility=fields.visibility, category=fields.category, metadata=fields.metadata or {}
    )


def _bad_file(message: str) -> InvalidParameters:
    detail: Detail = {"field": "file", "rule": "required", "message": message}
    return InvalidParameters(message, details=[detail])
