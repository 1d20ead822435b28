"""Bodies and answers of `/manage/v1`. A body is read once its caller is admitted; unknown keys at
its top are ignored, as in the tools that send the same bodies (40 §6.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Query
from fastapi.responses import Response
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bkend.errors import ConfirmationRequired, Detail, InvalidParameters
from bkend.http.exchange import Exchange
from bkend.http.manage import fields
from bkend.http.openapi import documented as documented
from bkend.store.documents import wire_json

LARGEST_PAGE = 100
_JSON = "application/json; charset=utf-8"
_WHOLE = re.compile(r"[0-9]{1,12}\Z")
_SENTENCES = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "list_type": "must be an array",
}

Model = TypeVar("Model", bound="Body")


class Body(BaseModel):
    """Nothing is converted: a number in place of a text is refused."""

    model_config = ConfigDict(strict=True, extra="ignore")


Label = Annotated[str, Field(max_length=100)]
Text = Annotated[str, Field(max_length=1000)]


class Labels(Body):
    """What people read of a table."""

    displayName: Label | None = None
    description: Text | None = None


class PermissionParts(Body):
    """The four parts; each that is given is replaced whole, null brings the default back."""

    permissions: fields.Permissions = None
    expressionPermissions: fields.Expressions = None
    columnPermissions: fields.ColumnRules = None
    rowFilters: fields.RowFilters = None

    def given(self) -> dict[str, Any]:
        """The parts that were sent."""
        return {
            name: getattr(self, name)
            for name in PermissionParts.model_fields
            if name in self.model_fields_set
        }


class TableUpdate(Labels, PermissionParts):
    """Labels, and permission parts for those who send them along."""


class NewTable(TableUpdate):
    """A table to make. `schema` in any notation of 21 §2; a list may also stand under `fields`."""

    tableName: str = Field(validation_alias=AliasChoices("tableName", "name"))
    definition: fields.Columns = Field(
        default_factory=dict, validation_alias=AliasChoices("schema", "fields"), alias="schema"
    )
    required: list[str] = []
    indexes: fields.Indexes = []


class FieldsChange(Body):
    """*Manage fields* (21 §4). With `replace`, definitions are not merged into those there are;
    `strict` says whether undeclared fields are refused."""

    fieldsToAddOrUpdate: dict[str, Any] | list[dict[str, Any]] | None = None
    fieldsToRemove: list[str] | None = None
    requiredFieldsToAdd: list[str] | None = None
    requiredFieldsToRemove: list[str] | None = None
    backfill: bool = False
    replace: bool = False
    strict: bool | None = None


class IndexesChange(Body):
    """*Manage indexes* (21 §5)."""

    indexesToAddOrUpdate: list[Any] | None = None
    indexesToRemove: list[str] | None = None


class BulkDelete(Body):
    """Records to delete at once; `confirm` is the table's name."""

    ids: list[str] = Field(min_length=1, max_length=100)
    confirm: str | None = None


class ProjectUpdate(Body):
    """Settings are merged into those there are; null brings a default back."""

    name: fields.Name = None
    slug: fields.Slug = None
    description: fields.Description = None
    status: fields.ProjectStatus = None
    settings: fields.Settings = None

    def given(self) -> dict[str, Any]:
        """The members that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


async def read_body(exchange: Exchange, model: type[Model]) -> Model:
    """The body as the model; raises InvalidParameters, PayloadTooLarge."""
    return _validated(model, await read_json(exchange))


async def read_optional_body(exchange: Exchange, model: type[Model]) -> Model:
    """As `read_body`, but an absent body counts as `{}`."""
    return _validated(model, _parsed(await exchange.body() or b"{}"))


async def read_json(exchange: Exchange) -> Any:
    """The body as JSON; raises InvalidParameters, PayloadTooLarge."""
    return _parsed(await exchange.body())


def _validated(model: type[Model], body: Any) -> Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        details = [_detail(problem) for problem in error.errors(include_url=False)]
        raise InvalidParameters(details[0]["message"], details=details) from None


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidParameters("The body is not valid JSON") from None


async def read_confirmation(exchange: Exchange, given: str | None) -> str | None:
    """`confirm` of the query, else of a JSON body if there is one (51 §6)."""
    if given is not None:
        return given
    try:
        body = orjson.loads(await exchange.body())
    except orjson.JSONDecodeError:
        return None
    confirm = body.get("confirm") if isinstance(body, dict) else None
    return confirm if isinstance(confirm, str) else None


def require_confirmation(given: str | None, name: str) -> None:
    """Raises ConfirmationRequired unless the name was repeated."""
    if given != name:
        raise ConfirmationRequired(name)


def _detail(problem: Mapping[str, Any]) -> Detail:
    places = problem["loc"]
    field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in places).lstrip(".")
    if not field:
        return {"field": "body", "rule": "type", "message": "The body must be a JSON object"}
    field = str(places[0]) if problem["type"] in ("dict_type", "list_type") else field
    sentence, rule = _said(problem["type"], problem.get("ctx") or {})
    return {"field": field, "rule": rule, "message": f"{field} {sentence}"}


def _said(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, to follow the field's name, and the rule that was broken."""
    if kind in _SENTENCES:
        return _SENTENCES[kind], "required" if kind == "missing" else "type"
    what = "elements" if kind in ("too_long", "too_short") else "characters"
    if "max_length" in context:
        return f"has at most {context['max_length']} {what}", "maxLength"
    if context.get("min_length") == 1:
        return "must not be empty", "minLength"
    if "min_length" in context:
        return f"has at least {context['min_length']} {what}", "minLength"
    if kind == "literal_error":
        return f"must be {context['expected']}", "enum"
    return "is not valid", "type"


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer; bytes are sent as they are."""
    encoded = body if isinstance(body, bytes) else wire_json(body)
    return Response(encoded, status, {"Cache-Control": "no-store"}, _JSON)


# -- lists ----------------------------------------------------------------------------------


def _whole_number(value: object) -> object:
    if isinstance(value, str):
        return int(value) if _WHOLE.match(value) else None
    return value


FromOne = Annotated[int, Field(ge=1), BeforeValidator(_whole_number)]


class Paging:
    """`page` and `limit` of a list (51 §6)."""

    def __init__(self, page: FromOne = 1, limit: Annotated[FromOne, Query()] = 20) -> None:
        self.page = page
        self.limit = min(limit, LARGEST_PAGE)

    @property
    def offset(self) -> int:
        """How many come before the page."""
        return (self.page - 1) * self.limit

    def shape(self, items: Sequence[Any], total: int) -> dict[str, Any]:
        """The list body of 00 §3."""
        has_next, has_prev = self.offset + self.limit < total, self.page > 1
        return {
            "items": list(items),
            "pagination": {
                "total": total,
                "page": self.page,
                "limit": self.limit,
                "totalPages": -(-total // self.limit),
                "hasNext": has_next,
                "hasPrev": has_prev,
                "hasNextPage": has_next,
                "hasPrevPage": has_prev,
            },
        }


Page = Annotated[Paging, Depends()]
