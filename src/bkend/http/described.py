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
_LIST_OF = re.compile(r"ListOf_(\w+)_\Z")
_models: dict[tuple[Any, Mode], int] = {}


class _Schemas(GenerateJsonSchema):
    """JSON Schema without titles, which repeat names, and without defaults: what is left out of a
    change stays as it is."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


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
    names = {name: _free(_LIST_OF.sub(r"\1List", name), taken) for name in made}
    renamed = {_SCHEMAS + name: {"$ref": _SCHEMAS + final} for name, final in names.items()}
    for name, schema in made.items():
        taken[names[name]] = _replaced(schema, renamed)
    shown = {f"{_MARK}{n}": schema for (n, _), schema in found.items()}
    shown = {mark: _replaced(one, renamed) for mark, one in shown.items()}
    resolved: dict[str, Any] = _replaced(document, shown)
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


def _replaced(part: Any, schemas: dict[str, Any]) -> Any:
    """The part with the given schemas in place of references to them."""
    if isinstance(part, list):
        return [_replaced(value, schemas) for value in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if isinstance(reference, str) and reference in schemas:
        return {
            **{key: value for key, value in part.items() if key != "$ref"},
            **schemas[reference],
        }
    return {key: _replaced(value, schemas) for key, value in part.items()}
