"""OpenAPI documents of the fixed endpoints, whose answers are described when somebody asks.

FastAPI compiles a validator for every answer of every route when the server starts, which takes
longer than everything else together; answers are built by our own functions and need none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

_PREFIX = "#/components/schemas/"
_shown: dict[str, Any] = {}


class Route(APIRoute):
    """A route whose `responses` name models that only the OpenAPI document knows."""

    def __init__(
        self,
        path: str,
        endpoint: Any,
        *,
        responses: Mapping[int | str, dict[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        described = {status: _described(answer) for status, answer in (responses or {}).items()}
        super().__init__(path, endpoint, responses=described, **options)


def _described(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer with references in place of its model."""
    rest = {name: value for name, value in answer.items() if name != "model"}
    if "model" not in answer:
        return rest
    model = answer["model"]
    parts = get_args(model) or (model,)
    references = [{"$ref": _PREFIX + _name(part)} for part in parts]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {
        "description": "Success",
        **rest,
        "content": {"application/json": {"schema": schema}},
    }


def _name(model: Any) -> str:
    """The name of the model's schema in documents: its own, or a longer one where two share it."""
    name: str = model.__name__
    if _shown.setdefault(name, model) is not model:
        name = f"{model.__module__.rpartition('.')[0].replace('.', '_')}_{name}"
        _shown.setdefault(name, model)
    return name


def document(routes: Sequence[Any], **about: Any) -> dict[str, Any]:
    """The OpenAPI document of the routes, with `title`, `version` and so on."""
    found = get_openapi(routes=routes, **about)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    wanted = _references(found)
    while missing := [name for name in wanted if name in _shown and name not in schemas]:
        for name in missing:
            schema = TypeAdapter(_shown[name]).json_schema(
                ref_template=_PREFIX + "{model}", mode="serialization"
            )
            for inner, definition in schema.pop("$defs", {}).items():
                schemas.setdefault(inner, definition)
            schemas[name] = schema
        wanted = _references(found)
    return found


def _references(part: Any) -> set[str]:
    """The names of all schemas that are referred to."""
    if isinstance(part, dict):
        named = {part["$ref"].removeprefix(_PREFIX)} if isinstance(part.get("$ref"), str) else set()
        return named.union(*map(_references, part.values()))
    if isinstance(part, list):
        return set().union(*map(_references, part))
    return set()
