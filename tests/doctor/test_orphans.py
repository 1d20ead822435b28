"""Objects without a row and rows without bytes, on every engine and kind of object store."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bkend.auth.collections import USERS
from bkend.core import Core, open_core
from bkend.doctor.keys import KeyList
from bkend.doctor.orphans import SETTLED_MS, Findings, Orphan, Search
from bkend.doctor.tidying import remove
from bkend.environment import Environment
from bkend.files.actor import FileActor
from bkend.files.names import new_key
from bkend.files.service import Registration
from bkend.files.uploads import Wanted
from bkend.settings import Settings
from bkend.store import Insert
from bkend.users.avatar_keys import new_key as new_avatar_key
from tests.auth.conftest import FakeClock
from tests.engines import ENGINES, new_url
from tests.objects.stores import KINDS, put
from tests.s3 import S3Server

ADA = FileActor("ada", "user", is_admin=False)
FOREIGN = "photos/2019/of-somebody-else.jpg"


class House:
    """A server with one environment, and what lies in its object store."""

    def __init__(self, core: Core, environment: Environment) -> None:
        self.core = core
        self.environment = environment
        self.store = environment.store
        self.files = environment.services.files
        self.told: list[tuple[str, int, int | None]] = []

    async def find(self) -> Findings:
        return await Search(self.core, self._note).find()

    async def kinds(self) -> list[tuple[str, str]]:
        return sorted((one.kind, one.key) for one in (await self.find()).orphans)

    async def remove(self, orphans: Sequence[Orphan]) -> int:
        return await remove(self.core, orphans, self._note)

    def _note(self, what: str, done: int, total: int | None) -> None:
        self.told.append((what, done, total))

    def key(self) -> str:
        state = self.environment.state
        return new_key(state.project.id, state.name, None, "a.txt", self.core.clock.now_ms())

    async def upload(self) -> dict[str, Any]:
        document = await self.files.uploads.begin(ADA, Wanted("a.txt", "text/plain"), 100)
        await self.files.uploads.receive(document, parts(b"bytes"))
        return document

    async def file(self) -> dict[str, Any]:
        return await self.files.register(ADA, (await self.upload())["s3Key"], Registration())

    async def picture(self, *, stored: bool = True) -> tuple[str, str]:
        """A user with a picture: id and key."""
        id = secrets.token_hex(6)
        key = new_avatar_key(self.environment.state.name, id, "image/png")
        user = {"image": f"http://x/{key}", "avatarKey": key, "email": f"{id}@example.com"}
        await self.store.commit([Insert(USERS, id, user, 0, 0)])
        if stored:
            await put(self.core.objects, key, b"png")
        return id, key


async def parts(*given: bytes) -> AsyncIterator[bytes]:
    for part in given:
        yield part


@pytest.fixture(params=KINDS)
def storage_url(request: pytest.FixtureRequest) -> str:
    if request.param == "local":
        return "file:"
    server: S3Server = request.getfixturevalue("s3_server")
    return server.url(server.bucket(), f"/tests/{secrets.token_hex(4)}")


@pytest_asyncio.fixture(params=ENGINES)
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, storage_url: str
) -> AsyncIterator[House]:
    settings = Settings(
        data=tmp_path / "data",
        database_url=new_url(request.param, request),
        storage_url=storage_url,
    )
    # The clock is months ahead of the object store's: everything there is old.
    async with open_core(settings, serving=False, clock=FakeClock()) as core:
        made = await core.hierarchy.bootstrap(environment="dev")
        document = await core.hierarchy.environment(made.project_slug, "dev")
        environment = await core.environments.get(document["id"])
        assert environment is not None
        yield House(core, environment)


async def test_what_lacks_its_other_half_is_found_and_removed(house: House) -> None:
    file, uploaded = await house.file(), await house.upload()
    await house.files.uploads.begin(ADA, Wanted("pending", "a/b"), 100)
    user, picture = await house.picture()
    objects, kept = house.core.objects, [file["s3Key"], uploaded["s3Key"], picture]
    await put(objects, FOREIGN, b"x")
    assert await house.kinds() == []
    assert house.told[-1][1] == house.told[-1][2]

    lost = house.key()
    await put(objects, lost, b"x")
    replaced = new_avatar_key("dev", user, "image/png")
    await put(objects, replaced, b"x")
    of_nobody = new_avatar_key("dev", "nobody", "image/png")
    await put(objects, of_nobody, b"x")
    empty, unsent = await house.file(), await house.upload()
    for gone in (empty, unsent):
        assert await objects.delete(gone["s3Key"])
    bald, shaved = await house.picture(stored=False)
    parts_key = house.key()
    upload_id = await objects.begin_multipart(parts_key)
    expected = [
        ("avatar", shaved),
        ("file", empty["s3Key"]),
        ("object", lost),
        ("object", replaced),
        ("parts", parts_key),
        ("upload", unsent["s3Key"]),
    ]
    found = await house.find()
    assert sorted((one.kind, one.key) for one in found.orphans) == sorted(expected)
    assert {one.place for one in found.orphans} == {"app/dev"}
    assert (found.objects, found.foreign) == (7, 2)

    assert await house.remove(found.orphans) == len(expected)
    assert await house.kinds() == []
    for key in (*kept, FOREIGN, of_nobody):
        assert await objects.head(key) is not None, key
    assert await objects.abort_multipart(parts_key, upload_id) is False
    row = await house.environment.services.users.records.get(bald)
    assert (row["image"], row["avatarKey"]) == (None, None)
    assert (await house.files.get(file["id"]))["s3Key"] == file["s3Key"]


async def test_what_came_back_meanwhile_is_not_removed(house: House) -> None:
    objects, empty, lost = house.core.objects, await house.file(), house.key()
    await objects.delete(empty["s3Key"])
    await put(objects, lost, b"x")
    found = await house.find()
    assert len(found.orphans) == 2
    await put(objects, empty["s3Key"], b"back")
    fields = {name: empty[name] for name in ("originalName", "mimeType", "size", "visibility")}
    await house.store.commit([Insert("files", "f1", {**fields, "s3Key": lost}, 0, 0)])
    assert await house.remove(found.orphans) == 0
    assert await objects.head(lost) is not None
    assert (await house.files.get(empty["id"]))["id"] == empty["id"]


async def test_what_is_young_or_being_removed_is_no_orphan(house: House) -> None:
    key, leaving = house.key(), house.key()
    made = await put(house.core.objects, key, b"x")
    await put(house.core.objects, leaving, b"x")
    await house.store.commit([house.files._removals.of_key(leaving)])
    clock = house.core.clock
    assert isinstance(clock, FakeClock)
    clock.now = made.modified_at + SETTLED_MS - 3000
    assert await house.kinds() == []
    clock.now = made.modified_at + SETTLED_MS + 3000
    assert await house.kinds() == [("object", key)]


async def test_an_empty_store_is_doubted_rather_than_believed(house: House) -> None:
    file = await house.file()
    assert not (await house.find()).is_suspicious
    await house.core.objects.delete(file["s3Key"])
    found = await house.find()
    assert found.is_suspicious
    assert [one.kind for one in found.orphans] == ["file"]


def test_a_list_of_keys() -> None:
    keys = KeyList()
    keys.add(f"k{number:04}" for number in range(1000))
    keys.add(["k0007", "a/ü\u20ac"])
    assert keys.count == 1001
    assert "k0999" in keys
    assert "k1000" not in keys
    batches = list(keys.batches(300))
    assert [len(batch) for batch in batches] == [300, 300, 300, 101]
    assert [key for batch in batches for key in batch] == sorted(
        [*(f"k{number:04}" for number in range(1000)), "a/ü\u20ac"]
    )
    keys.close()
