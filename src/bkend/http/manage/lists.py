"""What the lists of organizations, members, projects, keys are asked for (51 §6)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import BeforeValidator

from bkend.http.manage.bodies import FromOne, Paging
from bkend.manage.listing import Listing

_Word = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)


class ListParameters(Paging):
    """`page`, `limit`, `search`, `sortBy`, `sortDirection`."""

    def __init__(
        self,
        page: FromOne = 1,
        limit: Annotated[FromOne, Query()] = 20,
        search: str = "",
        sortBy: str | None = None,
        sortDirection: Annotated[Literal["asc", "desc"], _Word, Query()] = "desc",
    ) -> None:
        super().__init__(page, limit)
        self.listing = Listing(
            self.offset, self.limit, search, sortBy or None, sortDirection == "desc"
        )


Listed = Annotated[ListParameters, Depends()]
Lowered = Annotated[str | None, BeforeValidator(lambda v: v.lower() or None if v else None)]
"""A word to filter by, in any case; empty is none."""
