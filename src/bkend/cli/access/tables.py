"""The tables of an environment, to be compared and changed by a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from bkend.cli.access.opening import Kind
from bkend.cli.access.places import local_environment, remote_place
from bkend.cli.access.remote import Remote
from bkend.cli.access.remote_tables import RemoteTables
from bkend.tables.models import Table
from bkend.tables.plan import Step, TableChange, take
from bkend.tables.service import Erased

if TYPE_CHECKING:
    from bkend.core import Core
    from bkend.environment import Environment
    from bkend.manage.hierarchy import Place

_EVENTS = (
    ("table_created", ("createTable",)),
    ("schema_applied", ("addField", "changeField", "removeField", "setStrict")),
    ("index_updated", ("createIndex", "replaceIndex", "removeIndex")),
    (
        "permissions_updated",
        ("setPermissions", "setExpressionPermissions", "setColumnPermissions", "setRowFilters"),
    ),
)
"""The event of a change that is one commit: what weighs most in it."""


class DesignedTables(Protocol):
    """The tables of one environment."""

    @property
    def place(self) -> str:
        """The environment, as in `app/dev`."""
        ...

    async def list(self) -> list[Table]:
        """All tables by name."""
        ...

    async def count_rows(self, table: Table) -> int:
        """How many rows the table has."""
        ...

    async def count_holding(self, table: Table, column: str) -> int:
        """How many rows hold a value, null included, in the column."""
        ...

    async def take(self, change: TableChange, erased: Erased | None = None) -> None:
        """Make or change a table. Raises ApiError or RemoteRefusal when nothing of it was changed,
        TableChanged when it is not what the plan saw, TakenInPart when some of it was."""
        ...


class TableAccess(Protocol):
    """Environments with their tables."""

    async def at(self, project: str | None, env: str | None) -> DesignedTables:
        """The tables of an environment; what is None must be the only one."""
        ...


class LocalTableAccess:
    """The environments of a data directory."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def at(self, project: str | None, env: str | None) -> DesignedTables:
        """See TableAccess."""
        return LocalTables(*await local_environment(self._core, project, env))


class RemoteTableAccess:
    """The environments at a server."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def at(self, project: str | None, env: str | None) -> DesignedTables:
        """See TableAccess."""
        return RemoteTables(self._remote, await remote_place(self._remote, project, env))


class LocalTables:
    """The tables of an environment in a data directory; each change is one commit."""

    def __init__(self, place: Place, environment: Environment) -> None:
        self._place = place
        self._tables = environment.services.tables
        self.place = f"{place.project_slug}/{place.environment}"

    async def list(self) -> list[Table]:
        """See DesignedTables."""
        return await self._tables.list()

    async def count_rows(self, table: Table) -> int:
        """See DesignedTables."""
        return await self._tables.count_rows(table)

    async def count_holding(self, table: Table, column: str) -> int:
        """See DesignedTables."""
        return await self._tables.count_holding(table, column)

    async def take(self, change: TableChange, erased: Erased | None = None) -> None:
        """See DesignedTables; raises what `Tables.create` and `Tables.update` raise."""
        from bkend.manage.activity import COMMAND_LINE, Place
        from bkend.manage.recording import Report, reporting
        from bkend.store import Conflict
        from bkend.subjects import table_subject
        from bkend.tables.errors import TableChanged

        place = self._place
        site = Place(place.organization_id, place.project_id, place.environment)
        subject = table_subject(_event(change.steps))
        with reporting(Report(subject, COMMAND_LINE, site, change.definition.name)):
            try:
                await take(change, self._tables, erased)
            except Conflict:
                raise TableChanged from None


def _event(steps: Sequence[Step]) -> str:
    actions = {step.action for step in steps}
    return next((e for e, words in _EVENTS if not actions.isdisjoint(words)), "table_updated")


TABLES: Kind[TableAccess] = Kind(LocalTableAccess, RemoteTableAccess)
