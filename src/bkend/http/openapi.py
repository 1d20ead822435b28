"""OpenAPI documents of the fixed endpoints, made when somebody asks for one.

FastAPI compiles a validator for every answer of every route when the server starts, which takes
longer than everything else together; answers are built by our own functions and need none. So a
route only names the models of its body and its answers, and the classes of its refusals; what they
look like is worked out when a document is built.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import orjson
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from bkend.errors import ApiError, InvalidParameters, NotFound, PayloadTooLarge, UriTooLong
from bkend.http.described import refer, resolve

Security = tuple[Mapping[str, list[str]], ...]
"""Alternatives; each names the schemes that are needed together."""

_OWN, _COMMON = "refused here", "refused everywhere"
_JSON = "application/json"
_ABOUT = "openapi_description"
_TOO_LONG = f"`{UriTooLong.code}`; without a body where it is over 64 KiB by far"
_READING = frozenset({"GET", "HEAD"})
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Description:
    """What a dependency or an endpoint brings to the documents of the routes that use it."""

    refusals: tuple[type[ApiError], ...] = ()
    security: Security = ()


def describes(
    *refusals: type[ApiError], security: Security = ()
) -> Callable[[_Function], _Function]:
    """Decorates a dependency or an endpoint: what it refuses with, and which credentials it
    reads. Every route that depends on it says so."""

    def mark(function: _Function) -> _Function:
        setattr(function, _ABOUT, Description(refusals, security))
        return function

    return mark


def answers(status: int, model: Any, *refusals: type[ApiError]) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a route: the status and shape of success (None: without a body), and the
    refusals that its dependencies do not name already."""
    answer = {"description": "Success"} if model is None else {"model": model}
    return {status: answer, _OWN: {"refusals": refusals}}


def refusals(*errors: type[ApiError]) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a router: what all of its routes may refuse with."""
    return {_COMMON: {"refusals": errors}}


def documented(model: Any, *, optional: bool = False) -> dict[str, Any]:
    """For `openapi_extra`: the JSON body that an endpoint reads on its own."""
    schema = refer(model, "validation")
    return {"requestBody": {"required": not optional, "content": {_JSON: {"schema": schema}}}}


def parameter(name: str, place: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    """A parameter that an endpoint reads on its own, for `openapi_extra["parameters"]`."""
    return {"name": name, "in": place, "schema": dict(schema), "description": description}


class Route(APIRoute):
    """A route whose models and refusals only its documents know."""

    malformed: ClassVar[type[ApiError]] = InvalidParameters
    """What a malformed parameter or body is refused with."""
    on_post: tuple[type[ApiError], ...] = ()
    """What the class of routes itself refuses a POST with."""
    post_parameters: tuple[Mapping[str, Any], ...] = ()
    """What it reads of a POST."""

    def __init__(
        self,
        path: str,
        endpoint: Any,
        *,
        responses: Mapping[int | str, dict[str, Any]] | None = None,
        status_code: int | None = None,
        **options: Any,
    ) -> None:
        given = dict(responses or {})
        named = [given.pop(place, {}).get("refusals", ()) for place in (_OWN, _COMMON)]
        self.refusals: tuple[type[ApiError], ...] = tuple(error for some in named for error in some)
        described = {status: _described(answer) for status, answer in given.items()}
        success = next((one for one in described if isinstance(one, int) and one < 400), None)
        super().__init__(
            path, endpoint, responses=described, status_code=status_code or success, **options
        )

    def descriptions(self) -> Iterator[Description]:
        """What its endpoint and its dependencies say of themselves."""
        waiting = [self.dependant]
        while waiting:
            dependant = waiting.pop()
            waiting += dependant.dependencies
            about = getattr(dependant.call, _ABOUT, None)
            if about is not None:
                yield about


def _described(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer with a reference in place of its model."""
    rest = {name: value for name, value in answer.items() if name != "model"}
    if "model" not in answer:
        return rest
    content = {_JSON: {"schema": refer(answer["model"], "serialization")}}
    return {"description": "Success", **rest, "content": content | rest.get("content", {})}


def document(
    routes: Sequence[Any],
    *,
    error: Any,
    schemes: Mapping[str, Any],
    security: Security = (),
    **about: Any,
) -> dict[str, Any]:
    """The OpenAPI document of the routes, with `title`, `version` and so on.

    `error` is the model of every refusal; `schemes` are the ways to show who calls, `security` what
    a route asks for that says nothing else.
    """
    found = get_openapi(routes=routes, **about)
    if security:
        found["security"] = [dict(one) for one in security]
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)
    refusal = refer(error, "serialization")
    for route in routes:
        if isinstance(route, Route) and route.include_in_schema:
            for method in route.methods or ():
                operation = found["paths"][route.path_format][method.lower()]
                _complete(operation, route, method, refusal)
    components["securitySchemes"] = dict(schemes)
    return resolve(found)


def _complete(
    operation: dict[str, Any], route: Route, method: str, refusal: Mapping[str, Any]
) -> None:
    """Add what FastAPI does not know: refusals, credentials, headers."""
    found = list(route.descriptions())
    errors = [*route.refusals, *(error for one in found for error in one.refusals)]
    responses = operation["responses"]
    responses.pop("422", None)  # of FastAPI, which refuses nothing here
    for status, answer in responses.items():
        if status.startswith("3"):
            answer.pop("content", None)
    parameters = operation.get("parameters", [])
    if method == "POST":
        errors += route.on_post
        parameters = [*parameters, *map(dict, route.post_parameters)]
    if parameters:
        operation["parameters"] = parameters
    if any(one["in"] == "query" for one in parameters) or "requestBody" in operation:
        errors.append(route.malformed)
    if "requestBody" in operation:
        errors.append(PayloadTooLarge)
    if any(one["in"] == "path" for one in parameters):
        errors.append(NotFound)
    responses["414"] = {"description": _TOO_LONG}
    for status, codes in _by_status(errors):
        responses.setdefault(status, _refused(", ".join(codes), refusal))
    responses["5XX"] = _refused("A fault in the server", refusal)
    operation["responses"] = dict(sorted(responses.items()))
    named = max((one.security for one in found), key=len, default=())
    if named:
        operation.setdefault("security", _needed(named, method))


def _by_status(errors: Sequence[type[ApiError]]) -> Iterator[tuple[str, list[str]]]:
    """The codes of the refusals, by their status; faults stand together at the end."""
    for status in sorted({error.status for error in errors if error.status < 500}):
        codes = dict.fromkeys(f"`{error.code}`" for error in errors if error.status == status)
        yield str(status), sorted(codes)


def _refused(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": dict(schema)}}}


def _needed(security: Security, method: str) -> list[dict[str, list[str]]]:
    """The alternatives; reading needs no token against forgery."""
    unneeded = {"csrf"} if method in _READING else set()
    return [{n: scopes for n, scopes in one.items() if n not in unneeded} for one in security]


class Document:
    """A document that is built in a thread when it is first asked for, and kept."""

    def __init__(self, routes: Callable[[], Sequence[Any]], **about: Any) -> None:
        self._routes = routes
        self._about = about
        self._body: bytes | None = None

    async def body(self) -> bytes:
        """The document as JSON."""
        if self._body is None:
            self._body = await asyncio.to_thread(self._build)
        return self._body

    def _build(self) -> bytes:
        return orjson.dumps(document(self._routes(), **self._about))
