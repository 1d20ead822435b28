"""Lists of users: what may be asked, and the query that it comes to (11 §2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import StringConstraints

from bkend.auth.collections import USERS
from bkend.store import Condition, Contains, Equals, Find, Not, Sort, all_of, any_of
from bkend.store.text import fold
from bkend.users.actor import Actor
from bkend.users.errors import UserForbidden
from bkend.users.records import IS_LIVE

SearchType: TypeAlias = Literal["name", "nickname", "email"]
SortBy: TypeAlias = Literal["createdAt", "updatedAt", "name", "email", "role"]
Direction: TypeAlias = Literal["asc", "desc"]
Status: TypeAlias = Literal["active", "banned"]
Provider: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
"""`email`, or the name of a provider: `google`, `github`, or one that the environment added."""
_PUBLIC: tuple[SearchType, ...] = ("name", "nickname")
_ALL: tuple[SearchType, ...] = (*_PUBLIC, "email")
_LARGEST_OFFSET = 2**53


@dataclass(frozen=True, slots=True)
class UserQuery:
    """What is asked of a list; the last four by admins only."""

    page: int = 1
    limit: int = 20
    search: str = ""
    search_type: SearchType | None = None
    sort_by: SortBy = "createdAt"
    descending: bool = True
    include_accounts: bool = False
    role: str | None = None
    status: Status | None = None
    is_verified: bool | None = None
    provider: Provider | None = None

    def check(self, actor: Actor) -> None:
        """Raises UserForbidden where the order or a match would tell what is hidden."""
        if actor.is_admin:
            return
        if self.search_type == "email" or self.sort_by in ("email", "role"):
            raise UserForbidden("Only admins search or sort by this field")

    def find(self, actor: Actor, *also: Condition) -> Find:
        """The store's query; ties are broken by id."""
        return Find(
            USERS,
            all_of(IS_LIVE, self._matches(actor), *self._filters(), *also),
            sort=(Sort((self.sort_by,), descending=self.descending),),
            descending=self.descending,
            offset=min((self.page - 1) * self.limit, _LARGEST_OFFSET),
            limit=self.limit,
        )

    def _matches(self, actor: Actor) -> Condition:
        if not self.search:
            return all_of()
        searched = _ALL if actor.is_admin else _PUBLIC
        names = (self.search_type,) if self.search_type else searched
        return any_of(*(Contains((name,), fold(self.search)) for name in names))

    def _filters(self) -> list[Condition]:
        exact: list[tuple[str, Any]] = [("role", self.role), ("status", self.status)]
        found: list[Condition] = [Equals((name,), v) for name, v in exact if v is not None]
        if self.is_verified is not None:
            is_not = Equals(("emailVerified",), None)
            found.append(Not(is_not) if self.is_verified else is_not)
        return found
