"""Deleting projects, and organizations whose time in the trash is over (51 §5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.manage.activity import SYSTEM, Actor, Place, Target, entry
from bkend.manage.control import ACTIVITIES, INVITATIONS, KEYS, MEMBERS, ORGANIZATIONS, PROJECTS
from bkend.manage.environment_records import EnvironmentRecords
from bkend.manage.listing import every
from bkend.manage.organizations import Organizations
from bkend.manage.projects import IS_THERE
from bkend.provisioning import Provisioning
from bkend.store import Conflict, Delete, DeleteWhere, Equals, Missing, Store, Update


class Purging:
    """What takes environments along."""

    def __init__(
        self,
        control: Store,
        records: EnvironmentRecords,
        provisioning: Provisioning,
        organizations: Organizations,
        clock: Clock,
        trash_days: Callable[[], Awaitable[int]],
    ) -> None:
        """`trash_days` tells for how long deleted organizations are kept at this moment."""
        self._control = control
        self._records = records
        self._provisioning = provisioning
        self._organizations = organizations
        self._clock = clock
        self._trash_days = trash_days

    async def delete_project(self, project: Mapping[str, Any], actor: Actor) -> None:
        """Hide the project and refuse its keys in one commit; then remove what it held, for good.

        Raises NotFound. What an interruption leaves is removed by `finish`.
        """
        id, now = project["id"], self._clock.now_ms()
        environments = [
            one for one in await self._records.of_projects(id) if one["status"] != "deleting"
        ]
        place, target = Place(project["organizationId"], id), Target("project", id, project["name"])
        gone = Update(PROJECTS, id, set={"status": "deleted"}, updated_at=now, guard=IS_THERE)
        said = entry("project_deleted", actor, place, target, now)
        try:
            await self._control.commit([gone, *await self._records.ends(environments, now), said])
        except (Conflict, Missing):
            raise NotFound from None
        await self._remove_project(id)

    async def _remove_project(self, id: str) -> None:
        for environment in await self._records.of_projects(id):
            await self._provisioning.remove(environment)
        try:
            await self._control.commit([Delete(PROJECTS, id)])
        except Missing:
            pass

    async def delete_organization(self, organization: Mapping[str, Any], actor: Actor) -> None:
        """Put the organization in the trash; without a trash it is removed at once."""
        await self._organizations.delete(organization, actor)
        if await self._trash_days() == 0:
            await self._remove_organization(organization["id"])

    async def _remove_organization(self, id: str) -> None:
        of_it = Equals(("organizationId",), id)
        for project in await every(self._control, PROJECTS, of_it):
            if project["status"] == "deleted":
                await self._remove_project(project["id"])
            else:
                await self.delete_project(project, SYSTEM)
        kept = (KEYS, MEMBERS, INVITATIONS, ACTIVITIES)
        try:
            await self._control.commit(
                [*(DeleteWhere(name, of_it) for name in kept), Delete(ORGANIZATIONS, id)]
            )
        except Missing:
            pass

    async def finish(self) -> None:
        """Remove what an interruption left, and organizations whose time in the trash is over."""
        await self._provisioning.finish()
        for project in await every(self._control, PROJECTS, Equals(("status",), "deleted")):
            await self._remove_project(project["id"])
        for organization in await self._organizations.overdue(await self._trash_days()):
            await self._remove_organization(organization["id"])
