"""What a requester may know of a table: its spec and its OpenAPI document (20 §4.6, 21 §5)."""

from __future__ import annotations

from typing import Any

from bkend.records.access import Access
from bkend.tables.models import Table
from bkend.tables.openapi import table_openapi
from bkend.tables.spec import table_spec, without_hidden


def spec_of(access: Access) -> dict[str, Any]:
    """`GET …/spec`."""
    return table_spec(_known(access), is_admin=access.standing.group == "admin")


def openapi_of(access: Access) -> dict[str, Any]:
    """`GET …/openapi`."""
    return table_openapi(_known(access))


def _known(access: Access) -> Table:
    return without_hidden(access.live.table, never_readable(access))


def never_readable(access: Access) -> frozenset[str]:
    """The columns that the requester can read on no row at all (21 §7.1)."""
    return access.live.permissions.unreadable(access.standing).never
