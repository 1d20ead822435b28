"""Models that documents name before anybody knows what they look like.

A reference to a model costs nothing; its schema is made when a document is built, for all models of
the document at once, so that two of the same name get two names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

Mode: TypeAlias = Literal["validation", "serialization"]

_SCHEMAS = "#/components/schemas/"
_MARK = "model:"
_GENERIC_PAGE = re.compile(r"Page_(\w+)_\Z")
_models: dict[tuple[Any, Mode], int] = {}


class _Schemas(GenerateJsonSchema):
    """JSON Schema without what only repeats: titles, and null as the default of what is left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def refer(model: Any, mode: Mode) -> dict[str, Any]:
    """Stands for the schema of the model: of a body (`validation`), or an answer."""
    return {"$ref": f"{_MARK}{_models.setdefault((model, mode), len(_models))}"}


def resolve(document: dict[str, Any]) -> dict[str, Any]:
    """The document with schemas in place of references to models."""
    models = list(_models)
    wanted = sorted(set(_numbers(document)))
    inputs: list[Any] = [(n, models[n][1], TypeAdapter(models[n][0])) for n in wanted]
    found, rest = TypeAdapter.json_schemas(
        inputs, ref_template=_SCHEMAS + "{model}", schema_generator=_Schemas
    )
    taken: dict[str, Any] = document["components"]["schemas"]
    made = rest.get("$defs", {})
    names = {name: _free(_GENERIC_PAGE.sub(r"\1List", name), taken) for name in made}
    shown = {f"{_MARK}{n}": schema for (n, _), schema in found.items()}
    for name, schema in made.items():
        taken[names[name]] = schema
    resolved: dict[str, Any] = _resolved(document, names, shown)
    return resolved


def _numbers(part: Any) -> Iterator[int]:
    if isinstance(part, dict):
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith(_MARK):
            yield int(reference.removeprefix(_MARK))
        part = list(part.values())
    if isinstance(part, list):
        for value in part:
            yield from _numbers(value)


def _free(name: str, taken: dict[str, Any]) -> str:
    """The name, or another one where it stands for something of FastAPI's."""
    return f"{name}Shape" if name in taken else name


def _resolved(part: Any, names: dict[str, str], shown: dict[str, Any]) -> Any:
    """The part with schemas for models, and the final names of schemas."""
    if isinstance(part, list):
        return [_resolved(value, names, shown) for value in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if reference in shown:
        return _resolved(shown[reference], names, {})
    if isinstance(reference, str) and reference.startswith(_SCHEMAS):
        name = reference.removeprefix(_SCHEMAS)
        return part | {"$ref": _SCHEMAS + names.get(name, name)}
    return {key: _resolved(value, names, shown) for key, value in part.items()}
