"""Addresses to download from, and how bytes may be shown (30 §5.8, §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bkend.files.names import address_of
from bkend.files.service import Files
from bkend.files.shapes import DownloadAddress
from bkend.store.documents import format_time

PRIVATE = "private, no-store"
_INLINE_FAMILIES = ("image/", "audio/", "video/")
_INLINE = frozenset({"application/pdf", "text/plain"})


async def download_address(files: Files, document: Mapping[str, Any], raw: str) -> DownloadAddress:
    """Where a file's bytes are. A public file's address carries nothing that ends."""
    is_public = document["visibility"] == "public"
    if is_public:
        url, expires_at = address_of(raw, document["s3Key"]), files.advised_end()
    else:
        url, expires_at = await files.signed_url(
            document, raw, disposition(document, as_attachment=True), PRIVATE
        )
    return {
        "url": url,
        "filename": document["originalName"],
        "contentType": document["mimeType"],
        "size": document["size"],
        "expiresAt": format_time(expires_at),
        "permanent": is_public,
    }


def disposition(document: Mapping[str, Any], *, as_attachment: bool) -> str:
    """The Content-Disposition: inline only what no browser runs scripts of."""
    kind = document["mimeType"].partition(";")[0].strip().lower()
    is_shown = kind in _INLINE or kind.startswith(_INLINE_FAMILIES)
    # Of whatever is XML, SVG or not, a browser makes a document that may hold scripts.
    is_markup = "xml" in kind or "svg" in kind or "html" in kind
    word = "inline" if is_shown and not is_markup and not as_attachment else "attachment"
    return f"{word}; filename*=UTF-8''{quote(document['originalName'], safe='')}"
