"""Everything below HTTP, opened together: by the server, and by each command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bkend.auth import collections as auth_collections
from bkend.auth.identity import Identities
from bkend.auth.links import collections as link_collections
from bkend.auth.links.addresses import server_address
from bkend.auth.links.service import Links
from bkend.auth.mfa import collections as mfa_collections
from bkend.auth.mfa.service import Mfa
from bkend.auth.parts import AuthParts
from bkend.auth.passwords import PasswordHasher
from bkend.auth.service import AuthService
from bkend.auth.social import collections as social_collections
from bkend.auth.social.asking import Asking
from bkend.auth.social.outbound import Outbound
from bkend.auth.social.service import Social
from bkend.auth.social.states import States, StateSigner
from bkend.auth.tokens import Tokens
from bkend.clock import Clock, SystemClock
from bkend.environment import EnvironmentServices
from bkend.files import collections as file_collections
from bkend.files.places import Places
from bkend.files.service import Files
from bkend.files.signing import FileSigner
from bkend.files.strays import StrayUploads
from bkend.ids import RecordIds
from bkend.images.cache import ImageCache
from bkend.images.service import Images
from bkend.jobs import Jobs
from bkend.mail import collections as mail_collections
from bkend.mail.delivery import Delivery
from bkend.mail.message import public_host
from bkend.mail.service import Mail
from bkend.mail.smtp_url import parse_smtp_url
from bkend.manage import activity, invitation_records
from bkend.manage.access_tokens import AccessTokens
from bkend.manage.accounts import AccountNames
from bkend.manage.activities import Activities
from bkend.manage.control import MASTER_SECRETS, define_control
from bkend.manage.environment_records import EnvironmentRecords
from bkend.manage.environments import Environments, EnvironmentState
from bkend.manage.fingerprint import MasterSecrets
from bkend.manage.hierarchy import Hierarchy
from bkend.manage.idempotency import Idempotency
from bkend.manage.invitations import Invitations
from bkend.manage.keys import Keys
from bkend.manage.members import Members
from bkend.manage.organizations import Organizations
from bkend.manage.projects import Projects
from bkend.manage.recording import RecordingStore
from bkend.manage.relay import Relay
from bkend.manage.rotation import SealedValues
from bkend.manage.team import Team
from bkend.manage.usage import Usage
from bkend.objects import collections as object_collections
from bkend.objects.interface import Objects
from bkend.objects.opening import check_objects, close_objects, open_objects
from bkend.objects.watched import WatchedObjects
from bkend.provisioning import Provisioning
from bkend.purging import Purging
from bkend.query.row_filters import check_filter
from bkend.records.service import Records
from bkend.sealing import Sealer
from bkend.secret import Rings, SecretFile
from bkend.settings import Settings
from bkend.store import Database, Store
from bkend.system.accounts import ServerAccounts
from bkend.system.organizations import ServerOrganizations
from bkend.system.settings import ServerSettings
from bkend.tables import models as table_models
from bkend.tables.design import Design
from bkend.tables.service import Tables
from bkend.tenants import collections as tenant_collections
from bkend.tenants.parts import SERVER, Parts
from bkend.tenants.providers import Credentials
from bkend.tenants.service import Tenants
from bkend.users.service import Users

ENVIRONMENT_COLLECTIONS = (
    *auth_collections.COLLECTIONS,
    *mfa_collections.COLLECTIONS,
    *link_collections.COLLECTIONS,
    *social_collections.COLLECTIONS,
    *mail_collections.COLLECTIONS,
    *object_collections.COLLECTIONS,
    *table_models.COLLECTIONS,
    *file_collections.COLLECTIONS,
    activity.COLLECTION,
)

SEALED_FIELDS = (*mfa_collections.SEALED, *social_collections.SEALED)
"""Where environments keep sealed values: each part names its own, for rotations."""


@dataclass(frozen=True, slots=True)
class Core:
    """The opened parts that the HTTP layer and the commands share."""

    settings: Settings
    clock: Clock
    started_at: int
    """Milliseconds since 1970."""
    database: Database
    keys: Keys
    accounts: AccountNames
    members: Members
    organizations: Organizations
    team: Team
    invitations: Invitations
    access_tokens: AccessTokens
    activities: Activities
    idempotency: Idempotency
    usage: Usage
    jobs: Jobs
    server_settings: ServerSettings
    server_accounts: ServerAccounts
    server_organizations: ServerOrganizations
    relay: Relay
    tenants: Tenants
    hierarchy: Hierarchy
    projects: Projects
    environment_records: EnvironmentRecords
    provisioning: Provisioning
    purging: Purging
    environments: Environments[EnvironmentServices]
    delivery: Delivery
    secrets: Rings
    master_secrets: MasterSecrets
    sealed: SealedValues
    states: StateSigner
    objects: Objects
    file_signer: FileSigner
    places: Places
    images: Images

    async def environment(self, project: str, name: str) -> EnvironmentServices:
        """The services of an environment by project slug and name; HierarchyProblem if none."""
        document = await self.hierarchy.environment(project, name)
        found = await self.environments.get(document["id"])
        assert found is not None
        return found.services

    @property
    def stray_uploads(self) -> StrayUploads:
        """Uploads in parts that no environment knows of."""
        return StrayUploads(self.objects, self.places, self.environments, self.clock)

    async def finish_rotation(self) -> None:
        """Forget replaced master secrets whose time is over, once nothing is sealed with them."""
        now = self.clock.now_ms()
        ring = self.secrets.ring()
        if isinstance(self.secrets, SecretFile) and len(ring.signing(now)) < len(ring.previous):
            await self.sealed.reseal()
            self.secrets.drop_spent(now)


async def open_database(settings: Settings, *, serving: bool) -> Database:
    """The engine that the settings name. Raises StoreRefused."""
    if settings.database_url is None or settings.is_embedded:
        from bkend.store.sqlite import SqliteDatabase

        recent = settings.record_cache_bytes
        return await SqliteDatabase.open(settings.data, serving=serving, recent_bytes=recent)
    from bkend.store.postgres import Options, PostgresDatabase

    options = Options(
        url=settings.database_url,
        connections=settings.database_pool,
        transaction_pooling=settings.database_transaction_pooling == "on",
        direct_url=settings.database_direct_url,
    )
    return await PostgresDatabase.open(options, serving=serving)


def _console_providers(settings: Settings) -> dict[str, Credentials]:
    """The credentials of the providers that tenants may sign in with, those that are complete."""
    given = {
        "google": (settings.console_google_client_id, settings.console_google_client_secret),
        "github": (settings.console_github_client_id, settings.console_github_client_secret),
    }
    return {name: Credentials(id, secret) for name, (id, secret) in given.items() if id and secret}


@asynccontextmanager
async def open_core(
    settings: Settings, *, serving: bool, clock: Clock | None = None, lost_secret: bool = False
) -> AsyncIterator[Core]:
    """Open the database; on leaving, finish accepted writes and close it.

    With `lost_secret` it opens whatever master secret the data was written under. Raises
    StoreRefused with a sentence for the operator.
    """
    clock = clock or SystemClock()
    stored = open_objects(settings.storage, clock)
    cache = ImageCache(settings.data / "image-cache", settings.image_cache_mb * 1024 * 1024)
    objects = WatchedObjects(stored, cache.purge)
    images = Images(objects, cache, settings.image_workers)
    database = await open_database(settings, serving=serving)
    hasher = PasswordHasher()
    outbound = Outbound()
    try:
        await define_control(database.control)
        master_secrets = MasterSecrets(
            database.control, clock, settings.data, settings.secret, settings.secret_previous
        )
        secrets = await master_secrets.open(serving=serving, lost=lost_secret)
        if serving:
            await check_objects(stored)

        def notice_rotation(collection: str, ids: Sequence[str] | None) -> None:
            if collection in (MASTER_SECRETS, "*"):
                secrets.refresh()

        database.control.listen(notice_rotation)
        tokens, sealer = Tokens(secrets, clock), Sealer(secrets)
        record_ids = RecordIds()
        states, asking = StateSigner(secrets), Asking(outbound, clock)
        smtp = parse_smtp_url(settings.smtp_url) if settings.smtp_url else None
        delivery = Delivery(smtp, public_host(settings.public_url), clock, database.refresh)
        file_signer = FileSigner(secrets, clock)

        raw = settings.raw_url or f"{server_address(settings)}/raw"

        async def build(state: EnvironmentState, store: Store) -> EnvironmentServices:
            missing = [
                wanted
                for wanted in ENVIRONMENT_COLLECTIONS
                if store.collection(wanted.name) != wanted
            ]
            if missing:
                await store.define(*missing)
            await relay.take(store)
            state.calls = await usage.counter(state.id, state.project.id)
            tables = Tables(store, clock)
            mail = Mail(store, state, clock, delivery)
            delivery.attach(mail.outbox)
            parts = AuthParts.on(
                store, clock, state, tokens, hasher, sealer, mail, server_address(settings)
            )
            mfa = Mfa(parts)
            return EnvironmentServices(
                identities=Identities(tokens, store, state, clock),
                auth=AuthService(parts, mfa),
                links=Links(parts, mfa),
                mfa=mfa,
                social=Social(parts, states, asking),
                mail=mail,
                tables=tables,
                design=Design(tables, store, check_filter),
                records=Records(store, tables, clock, record_ids, raw),
                users=Users(parts, objects, file_signer),
                files=Files(
                    store,
                    clock,
                    state,
                    objects,
                    file_signer,
                    settings.download_url_seconds,
                    cache.purge,
                ),
            )

        control, relay = database.control, Relay(database.control)
        usage = Usage(control, clock)
        keys, members, accounts = Keys(control, clock), Members(control), AccountNames(control)
        live = ServerSettings(control, clock, settings)

        def closed(id: str) -> None:
            delivery.detach(id)
            usage.close(id)

        environments = Environments(
            database,
            build,
            limit=settings.open_environments,
            wrap=lambda store: RecordingStore(store, clock, relay.take),
            is_busy=delivery.is_busy,
            closed=closed,
        )
        records = EnvironmentRecords(control, clock, keys, live.quotas)
        places = Places(control, clock)
        provisioning = Provisioning(database, records, environments, objects, places, relay)
        organizations = Organizations(control, members, accounts, clock)
        server_mail = Mail(control, SERVER, clock, delivery)
        base = server_address(settings)
        delivery.attach(server_mail.outbox)
        invited = Invitations(control, accounts, sealer, server_mail, base, clock)
        own = Parts.on(
            database.control,
            clock,
            hasher,
            sealer,
            server_mail,
            base,
            live.signup,
            invited.records.awaits,
        )
        yield Core(
            settings=settings,
            clock=clock,
            started_at=clock.now_ms(),
            database=database,
            keys=keys,
            accounts=accounts,
            members=members,
            organizations=organizations,
            team=Team(control, accounts, clock),
            invitations=invited,
            access_tokens=AccessTokens(control, keys, accounts, clock),
            activities=Activities(control, clock, live.activity_days),
            idempotency=Idempotency(control, sealer, secrets, clock),
            usage=usage,
            jobs=Jobs(clock),
            server_settings=live,
            server_accounts=ServerAccounts(control, clock),
            server_organizations=ServerOrganizations(control, organizations, clock),
            relay=relay,
            tenants=Tenants.on(
                own,
                control,
                clock,
                keys,
                members,
                server_mail,
                States(
                    AuthParts.on(control, clock, SERVER, tokens, hasher, sealer, server_mail, base),
                    states,
                ),
                asking,
                _console_providers(settings),
                invited.records.waiting_for,
            ),
            hierarchy=Hierarchy(database.control, keys, clock),
            projects=Projects(control, clock, keys, live.quotas),
            environment_records=records,
            provisioning=provisioning,
            purging=Purging(control, records, provisioning, organizations, clock, live.trash_days),
            environments=environments,
            delivery=delivery,
            secrets=secrets,
            master_secrets=master_secrets,
            sealed=SealedValues(
                database,
                sealer,
                SEALED_FIELDS,
                (*tenant_collections.SEALED, *invitation_records.SEALED),
            ),
            states=states,
            objects=objects,
            file_signer=file_signer,
            places=places,
            images=images,
        )
    finally:
        await images.close()
        hasher.close()
        await outbound.close()
        close_objects(stored)
        await database.close()
