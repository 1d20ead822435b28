"""The project's response envelope around 2xx JSON bodies of `/v1` (00 §3)."""

from __future__ import annotations

import orjson

from bkend.store.documents import wire_json

_TAKEN = (b'"success":', b'"data":')


def enveloped(body: bytes, mode: str) -> bytes:
    """The body as the project's clients expect it.

    `wrapped` puts it under `data`; `both` puts an object's members beside that again. The
    wrapper's own two keys win over members of the same names.
    """
    if mode == "bare":
        return body
    if mode == "wrapped" or body[:1] != b"{" or body == b"{}":
        return b'{"success":true,"data":%b}' % body
    if any(word in body for word in _TAKEN):
        members = orjson.loads(body)
        rest = {name: value for name, value in members.items() if name not in ("success", "data")}
        if not rest:
            return b'{"success":true,"data":%b}' % body
        if len(rest) < len(members):
            return b'{"success":true,"data":%b,%b' % (body, wire_json(rest)[1:])
    return b'{"success":true,"data":%b,%b' % (body, body[1:])
