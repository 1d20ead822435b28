"""Lists of files: what may be asked, and the query that it comes to (30 §5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bkend.files.actor import FileActor
from bkend.files.collections import FILES
from bkend.files.names import Bucket, Category, OwnerType, Visibility
from bkend.store import Compare, Condition, Contains, Equals, Find, Sort, all_of, any_of
from bkend.store.text import fold

SortBy: TypeAlias = Literal["createdAt", "updatedAt", "originalName", "size", "mimeType"]
_LARGEST_OFFSET = 2**53
_AFTER_SLASH = "0"


@dataclass(frozen=True, slots=True)
class FileQuery:
    """What is asked of a list. Filters only narrow what the caller may see anyway."""

    page: int = 1
    limit: int = 20
    sort_by: SortBy = "createdAt"
    descending: bool = True
    visibility: Visibility | None = None
    owner_type: OwnerType | None = None
    owner_id: str | None = None
    bucket: Bucket | None = None
    category: Category | None = None
    mime_types: tuple[str, ...] = ()
    """Exact, or `image/*`; any of them."""
    search: str = ""

    def find(self, actor: FileActor) -> Find:
        """The store's query; ties are broken by id."""
        return Find(
            FILES,
            all_of(actor.readable, *self._filters()),
            sort=(Sort((self.sort_by,), descending=self.descending),),
            descending=self.descending,
            offset=min((self.page - 1) * self.limit, _LARGEST_OFFSET),
            limit=self.limit,
        )

    def _filters(self) -> list[Condition]:
        exact = {
            "visibility": self.visibility,
            "ownerType": self.owner_type,
            "ownerId": self.owner_id,
            "bucket": self.bucket,
            "category": self.category,
        }
        found: list[Condition] = [
            Equals((name,), value) for name, value in exact.items() if value is not None
        ]
        if self.mime_types:
            found.append(any_of(*map(_of_type, self.mime_types)))
        if self.search:
            found.append(Contains(("originalName",), fold(self.search)))
        return found


def _of_type(wanted: str) -> Condition:
    path = ("mimeType",)
    if not wanted.endswith("/*"):
        return Equals(path, wanted)
    family = wanted[:-2]
    return all_of(
        Compare(path, "gte", f"{family}/"), Compare(path, "lt", f"{family}{_AFTER_SLASH}")
    )
