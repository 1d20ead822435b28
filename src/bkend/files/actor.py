"""Who acts on which file, and what of it they see (the matrix of 30 §6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bkend.files.errors import FileAccessDenied
from bkend.files.names import OwnerType
from bkend.store import ALWAYS, Condition, Equals, OneOf, all_of, any_of


@dataclass(frozen=True, slots=True)
class FileActor:
    """The caller of a file operation."""

    owner_id: str
    """The user's id; of a secret key alone the key's, of a tenant the account's; `""` of a
    publishable key alone, where the project lets it read public files."""
    owner_type: OwnerType
    is_admin: bool

    def owns(self, document: Mapping[str, Any]) -> bool:
        """Owner or admin: *owner-like*."""
        if self.is_admin:
            return True
        is_own = document["ownerId"] == self.owner_id
        return bool(self.owner_id) and is_own and document["ownerType"] == self.owner_type

    def reads(self, document: Mapping[str, Any]) -> bool:
        """Whether metadata and download are for this caller."""
        if self.owns(document) or document["visibility"] == "public":
            return True
        if not self.owner_id:
            return False
        if document["visibility"] == "shared":
            return self.owner_id in document["sharedWith"]
        return bool(document["visibility"] == "protected")

    @property
    def readable(self) -> Condition:
        """`reads` of the store's documents."""
        if self.is_admin:
            return ALWAYS
        if not self.owner_id:
            return Equals(("visibility",), "public")
        own = all_of(Equals(("ownerId",), self.owner_id), Equals(("ownerType",), self.owner_type))
        shared = all_of(Equals(("visibility",), "shared"), Equals(("sharedWith",), self.owner_id))
        return any_of(own, OneOf(("visibility",), ("public", "protected")), shared)

    def require_owner(self, document: Mapping[str, Any]) -> None:
        """Raises FileAccessDenied."""
        if not self.owns(document):
            raise FileAccessDenied

    def require_reader(self, document: Mapping[str, Any]) -> None:
        """Raises FileAccessDenied."""
        if not self.reads(document):
            raise FileAccessDenied
