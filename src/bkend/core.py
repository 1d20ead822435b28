"""Everything below HTTP, opened together: by the server, and by each command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bkend.auth import collections as auth_collections
from bkend.auth.identity import Identities
from bkend.auth.parts import AuthParts
from bkend.auth.passwords import PasswordHasher
from bkend.auth.service import AuthService
from bkend.auth.tokens import Tokens
from bkend.clock import Clock, SystemClock
from bkend.environment import EnvironmentServices
from bkend.ids import RecordIds
from bkend.mail import collections as mail_collections
from bkend.mail.service import Mail
from bkend.manage.control import define_control
from bkend.manage.environments import Environments, EnvironmentState
from bkend.manage.hierarchy import Hierarchy
from bkend.manage.keys import Keys
from bkend.manage.projects import Projects
from bkend.objects import collections as object_collections
from bkend.objects.interface import Objects
from bkend.objects.local import LocalObjects
from bkend.query.row_filters import check_filter
from bkend.records.service import Records
from bkend.sealing import Sealer
from bkend.secret import load_secret
from bkend.settings import Settings
from bkend.store import Database, Store
from bkend.tables import models as table_models
from bkend.tables.design import Design
from bkend.tables.service import Tables
from bkend.users.service import Users
from bkend.users.uploads import UploadSigner

ENVIRONMENT_COLLECTIONS = (
    *auth_collections.COLLECTIONS,
    *mail_collections.COLLECTIONS,
    *object_collections.COLLECTIONS,
    *table_models.COLLECTIONS,
)


@dataclass(frozen=True, slots=True)
class Core:
    """The opened parts that the HTTP layer and the commands share."""

    settings: Settings
    clock: Clock
    database: Database
    keys: Keys
    hierarchy: Hierarchy
    projects: Projects
    environments: Environments[EnvironmentServices]
    objects: Objects
    uploads: UploadSigner

    async def environment(self, project: str, name: str) -> EnvironmentServices:
        """The services of an environment by project slug and name; HierarchyProblem if none."""
        document = await self.hierarchy.environment(project, name)
        found = await self.environments.get(document["id"])
        assert found is not None
        return found.services


async def open_database(settings: Settings, *, serving: bool) -> Database:
    """The engine that the settings name. Raises StoreRefused."""
    if settings.database_url is None or settings.is_embedded:
        from bkend.store.sqlite import SqliteDatabase

        return await SqliteDatabase.open(settings.data, serving=serving)
    from bkend.store.postgres import Options, PostgresDatabase

    options = Options(
        url=settings.database_url,
        connections=settings.database_pool,
        transaction_pooling=settings.database_transaction_pooling == "on",
        direct_url=settings.database_direct_url,
    )
    return await PostgresDatabase.open(options, serving=serving)


@asynccontextmanager
async def open_core(
    settings: Settings, *, serving: bool, clock: Clock | None = None
) -> AsyncIterator[Core]:
    """Open the database; on leaving, finish accepted writes and close it.

    Raises StoreRefused with a sentence for the operator.
    """
    clock = clock or SystemClock()
    database = await open_database(settings, serving=serving)
    hasher = PasswordHasher()
    try:
        await define_control(database.control)
        secret = load_secret(settings.data, settings.secret)
        tokens, sealer = Tokens(secret, clock), Sealer(secret)
        record_ids = RecordIds()
        objects = LocalObjects(settings.data / "objects")
        uploads = UploadSigner(secret.key("uploads"), clock)

        async def build(state: EnvironmentState, store: Store) -> EnvironmentServices:
            missing = [
                wanted
                for wanted in ENVIRONMENT_COLLECTIONS
                if store.collection(wanted.name) != wanted
            ]
            if missing:
                await store.define(*missing)
            tables = Tables(store, clock)
            mail = Mail(store, state, clock)
            parts = AuthParts.on(store, clock, state, tokens, hasher, sealer, mail)
            return EnvironmentServices(
                identities=Identities(tokens, store, state, clock),
                auth=AuthService(parts),
                mail=mail,
                tables=tables,
                design=Design(tables, store, check_filter),
                records=Records(store, tables, clock, record_ids),
                users=Users(parts, objects, uploads),
            )

        keys = Keys(database.control, clock)
        yield Core(
            settings=settings,
            clock=clock,
            database=database,
            keys=keys,
            hierarchy=Hierarchy(database.control, keys, clock),
            projects=Projects(database.control, clock),
            environments=Environments(database, build),
            objects=objects,
            uploads=uploads,
        )
    finally:
        hasher.close()
        await database.close()
