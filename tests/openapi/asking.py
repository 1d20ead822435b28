"""Requests that an OpenAPI document describes, sent to a real server, and what schemathesis says of
the answers."""

from __future__ import annotations

import http.cookiejar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 1,
        "generation": {"with-security-parameters": False},
        "cache": {"enabled": False},
    }
)
_METHODS = ("get", "put", "post", "patch", "delete")


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with objects that hold nothing but what is named, unless they say otherwise.

    Clients are promised fields, not that there will never be more; here an answer with a field that
    no page tells of is a mistake.
    """
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return document


@dataclass
class Asking:
    """A document, the server it is about, and which of its operations have succeeded."""

    url: str
    document: dict[str, Any]
    is_closed: bool = True
    """Whether answers hold nothing but what is named."""
    succeeded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        known = closed(self.document) if self.is_closed else self.document
        self.schema = schemathesis.openapi.from_dict(known, config=_CONFIG)
        self.session = requests.Session()
        self.session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self.session.trust_env = False

    def operations(self) -> Iterator[tuple[str, str]]:
        """Every method and path."""
        for path, item in self.document["paths"].items():
            for method in _METHODS:
                if method in item:
                    yield method.upper(), path

    def described(self, method: str, path: str) -> dict[str, Any]:
        """The operation as the document has it."""
        found: dict[str, Any] = self.document["paths"][path][method.lower()]
        return found

    def ok(
        self,
        method: str,
        path: str,
        body: Any = NOT_SET,
        *,
        headers: Mapping[str, str],
        query: Any = None,
        media_type: Any = None,
        **parameters: str,
    ) -> Any:
        """Ask for something that succeeds; the JSON of the answer."""
        if body is not NOT_SET and media_type is None:
            media_type = "application/json"
        case = self.schema[path][method].Case(
            path_parameters=parameters,
            query=dict(query or {}),
            headers=dict(headers),
            body=body,
            media_type=media_type,
        )
        response = case.call(base_url=self.url, session=self.session, allow_redirects=False)
        said = f"{method} {path}: {response.status_code} {response.text[:500]}"
        assert response.status_code < 400, said
        case.validate_response(response, checks=CHECKS)
        self.succeeded.add(f"{method} {path}")
        is_json = "json" in (response.headers.get("content-type") or [""])[0]
        return response.json() if is_json else response
