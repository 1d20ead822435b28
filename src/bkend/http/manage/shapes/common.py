"""Parts of every resource: times, lists, what is left of what was deleted (51 §6)."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination

Item = TypeVar("Item")
Time: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
Count: TypeAlias = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0})]
JsonObject: TypeAlias = dict[str, Any]


class ListOf(TypedDict, Generic[Item]):
    """A page of a list (00 §3)."""

    items: list[Item]
    pagination: Pagination


class Deleted(TypedDict):
    """What is no more."""

    deleted: Literal[True]
    id: str


class DeletedMany(TypedDict):
    """How many are no more."""

    deleted: Literal[True]
    count: Count


class Cleared(Deleted):
    """What is empty now, and how many it held."""

    count: Count
