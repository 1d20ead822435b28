"""Commands at a server: over the management API they print and do what they do in a directory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import yaml

from bkend.cli.access.opening import Where, opened
from bkend.cli.access.remote import Remote, logged_in
from bkend.cli.access.tables import TABLES, RemoteTableAccess
from bkend.core import open_core
from bkend.settings import Settings
from bkend.tables.errors import TableChanged
from bkend.tables.file import read_tables
from bkend.tables.plan import Plan, make_plan
from bkend.tables.service import definition_of
from tests.cli.conftest import Called, CommandLine, make
from tests.servers import RunningServer, clean_environment
from tests.tables.designs import RICH, some_tables

POSTS = """version: 1
tables:
  posts:
    fields:
      title: {type: string, required: true}
      slug: {type: string}
    permissions:
      user: {create: true, read: true}
"""
_numbers = count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path_factory.mktemp("server"))
    make(server)
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log


class Distant:
    """An environment of its own at the server, and the same commands on the directory behind."""

    def __init__(self, bkend: CommandLine, server: RunningServer) -> None:
        self.bkend = bkend
        self.server = server
        self.env = f"e{next(_numbers)}"
        self.manage("POST", "/environments", {"environment": self.env})

    def manage(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(
            method,
            f"{self.server.url}/manage/v1/projects/app{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.server.made['managementToken']}"},
            timeout=30,
            verify=False,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def __call__(self, *arguments: str, code: int | None = 0) -> Called:
        """The command at the server."""
        return self.bkend(*arguments, "--server", self.server.url, code=code)

    def here(self, *arguments: str) -> Called:
        """The command in the directory behind it."""
        return self.bkend(*arguments, "--data", str(self.server.data))

    def refused(self, *arguments: str) -> str:
        return self.bkend.refused(*arguments, "--server", self.server.url)

    def apply(self, text: str, *options: str, code: int = 0) -> Called:
        Path("bkend.yaml").write_text(text)
        return self("apply", "bkend.yaml", "--env", self.env, *options, code=code)

    def pulled(self) -> str:
        return self("pull", "-", "--env", self.env).stdout

    def insert(self, table: str, *rows: Any) -> None:
        path = f"/environments/{self.env}/tables/{table}/records"
        self.manage("POST", path, list(rows))

    def events(self) -> list[Any]:
        """What was reported of the environment, newest first."""
        items = self.manage("GET", "/activities?limit=100")["items"]
        return [one for one in items if one["environment"] == self.env]


@pytest.fixture
def at(bkend: CommandLine, served: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Distant:
    monkeypatch.setenv("XDG_CONFIG_HOME", "settings")
    monkeypatch.setenv("BKEND_TOKEN", served.made["managementToken"])
    return Distant(bkend, served)


# -- apply ---------------------------------------------------------------------------------


def test_the_plan_is_printed_and_carried_out(at: Distant) -> None:
    assert at.apply(POSTS).stdout.splitlines() == [
        f"Plan for app/{at.env}:",
        "",
        "+ table posts: 2 fields",
        "  + field title: string, required",
        "  + field slug: string",
        "  + permissions: user create read",
        "",
        "Done: posts.",
    ]
    assert at.apply(POSTS).stdout == (
        f"Nothing to do: the tables of app/{at.env} are as the file declares.\n"
    )
    assert at.apply(POSTS, "--json").json == {"plan": [], "applied": False}
    assert at.here("apply", "bkend.yaml", "--env", at.env, "--json").json["plan"] == []


def test_losing_data_needs_a_yes(at: Distant) -> None:
    at.apply(POSTS)
    at.insert("posts", {"title": "a", "slug": None}, {"title": "b", "slug": "x"}, {"title": "c"})
    fewer = POSTS.replace("      slug: {type: string}\n", "")
    found = at.apply(fewer, code=1)
    assert "- field slug: 2 rows hold a value; it is erased for good" in found.stdout
    assert "nothing was changed; give --yes" in found.stderr
    assert at.apply(fewer, "--dry-run", "--json").json["plan"][0]["losesData"] is True
    assert "slug" in at.pulled()
    assert at.apply(fewer, "--yes").stdout.splitlines()[-1] == "Done: posts."
    assert "slug" not in at.pulled()
    rows = at.manage("GET", f"/environments/{at.env}/tables/posts/records")["items"]
    assert not any("slug" in row for row in rows)


def test_a_table_is_changed_in_all_its_parts(at: Distant) -> None:
    at.apply(POSTS)
    other = """version: 1
tables:
  posts:
    displayName: Posts
    strict: true
    fields:
      title: {type: string, maxLength: 9, default: null}
      slug: {type: string, unique: true}
      body: {type: object, required: true, properties: {a: {type: string, required: true}}}
    indexes:
      - {name: by_title, fields: {title: 1}}
    permissions: null
    expressionPermissions: {read: public}
    columnPermissions: {slug: {write: admin}}
    rowFilters: [{expression: guest, filter: {title: a}}]
"""
    steps = at.apply(other, "--json").json["plan"]
    assert [step["action"] for step in steps] == [
        "changeField",
        "changeField",
        "addField",
        "createIndex",
        "createIndex",
        "setPermissions",
        "setExpressionPermissions",
        "setColumnPermissions",
        "setRowFilters",
        "setStrict",
        "setLabels",
    ]
    assert at.apply(other, "--json").json == {"plan": [], "applied": False}
    assert at.here("apply", "bkend.yaml", "--env", at.env, "--json").json["plan"] == []
    assert [one["event"] for one in at.events()][:5] == [
        "table_updated",
        "permissions_updated",
        "index_updated",
        "schema_applied",
        "table_created",
    ]
    assert {one["actor"]["type"] for one in at.events()} == {"token"}
    back = POSTS.replace(
        "    permissions:", "    indexes: []\n    displayName: null\n    permissions:"
    )
    at.apply(back, "--yes")
    assert at.apply(back, "--json").json["plan"] == []


@pytest.mark.parametrize("seed", range(4))
def test_tables_by_chance_replace_each_other(at: Distant, seed: int) -> None:
    chance = Random(seed)
    for _ in range(3):
        text = yaml.safe_dump(some_tables(chance))
        at.apply(text, "--yes")
        assert at.apply(text, "--json").json["plan"] == []
    assert at.pulled() == at.here("pull", "-", "--env", at.env).stdout


def test_an_index_of_ones_own_becomes_that_of_a_unique_field(at: Distant) -> None:
    at.apply(POSTS + "    indexes: [{name: uq_slug, fields: {slug: 1}, unique: true}]\n")
    unique = POSTS.replace("slug: {type: string}", "slug: {type: string, unique: true}")
    assert "uq_slug: slug, unique, sparse" in at.apply(unique + "    indexes: []\n").stdout
    assert at.apply(unique + "    indexes: []\n", "--json").json["plan"] == []


def test_problems_are_told_as_in_a_directory(at: Distant) -> None:
    at.apply(POSTS)
    message = at.apply(POSTS.replace("posts", "Posts"), code=1).stderr
    assert message == "bkend: there is already a table 'posts'\n"
    message = at.apply(POSTS.replace("title: {type", "title: {typ"), code=1).stderr
    assert "bkend: bkend.yaml line 5: unknown key 'typ'" in message
    at.insert("posts", {"title": "a", "slug": "same"}, {"title": "b", "slug": "same"})
    unique = POSTS.replace("slug: {type: string}", "slug: {type: string, unique: true}")
    text = unique.replace("  posts:", "  first: {fields: {a: string}}\n  posts:")
    assert at.apply(text, code=1).stderr.splitlines() == [
        "bkend: a unique index on slug of 'posts' meets rows with equal values, "
        'for example "same"; nothing was changed in posts',
        "bkend: already done: first",
    ]


def test_what_was_done_of_a_table_is_said_and_the_rest_done_later(at: Distant) -> None:
    at.apply(POSTS)
    at.insert("posts", {"title": "a", "slug": "same"}, {"title": "b", "slug": "same"})
    indexed = "    indexes: [{name: one, fields: {slug: 1}, unique: true}]\n"
    text = POSTS.replace("slug: {", "more: {type: string}\n      slug: {") + indexed
    [line] = at.apply(text, code=1).stderr.splitlines()
    assert line.endswith("; of posts these were changed before: fields")
    assert "more" in at.pulled()
    at.apply(text.replace("{slug: 1}", "{title: 1}"))
    assert "fields: {title: 1}, unique: true" in at.pulled()


# -- changes of somebody else --------------------------------------------------------------


class Meddled(Remote):
    """A server at which somebody else adds a field right before a call that ends so."""

    def __init__(self, inner: Remote, before: str) -> None:
        super().__init__(inner.server, os.environ["BKEND_TOKEN"])
        self.before = before

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        if method != "GET" and path.endswith(self.before):
            table = path.removesuffix(self.before)
            meddling = {"fieldsToAddOrUpdate": {"theirs": {"type": "string"}}}
            await super().call("POST", f"{table}/fields/manage", meddling)
        return await super().call(method, path, body, **options)


async def planned(remote: Remote, env: str, text: str) -> tuple[Any, Plan]:
    tables = await RemoteTableAccess(remote).at("app", env)
    return tables, await make_plan(tables, read_tables(text.encode()))


def test_a_plan_that_is_out_of_date_is_not_carried_out(at: Distant) -> None:
    at.apply(POSTS)
    before = at.pulled()

    async def run() -> None:
        async with logged_in(at.server.url) as remote:
            text = POSTS.replace("slug: {type: string}", "slug: {type: string, minLength: 1}")
            tables, plan = await planned(remote, at.env, text)
            labels = {"displayName": "Theirs"}
            at.manage("PATCH", f"/environments/{at.env}/tables/posts", labels)
            with pytest.raises(TableChanged):
                await tables.take(plan.changes[0])

    asyncio.run(run())
    assert at.pulled() == before.replace("  posts:\n", "  posts:\n    displayName: Theirs\n")


@pytest.mark.parametrize("call", ["/fields/manage", "/indexes/manage"])
def test_a_change_in_the_last_moment_is_not_overwritten(at: Distant, call: str) -> None:
    at.apply(POSTS)

    async def run() -> None:
        async with Meddled(logged_in(at.server.url), call) as remote:
            text = POSTS + "    indexes: [{name: i, fields: {title: 1}}]\n"
            if "fields" in call:
                text = text.replace("slug:", "ours: {type: string}\n      slug:")
            tables, plan = await planned(remote, at.env, text)
            with pytest.raises(TableChanged):
                await tables.take(plan.changes[0])

    asyncio.run(run())
    pulled = at.pulled()
    assert "theirs: {type: string}" in pulled
    assert "ours" not in pulled
    assert "indexes: []" in pulled


# -- pull and promote ----------------------------------------------------------------------


def test_pull_is_the_same_at_the_server_and_in_its_directory(at: Distant) -> None:
    at.apply(RICH)
    assert at("pull", "mine.yaml", "--env", at.env).stdout == (
        f"Wrote 4 tables of app/{at.env} to mine.yaml.\n"
    )
    text = Path("mine.yaml").read_text()
    assert text == at.here("pull", "-", "--env", at.env).stdout
    assert at.apply(text, "--json").json == {"plan": [], "applied": False}


def test_promote_between_environments_of_a_server(at: Distant) -> None:
    at.apply(RICH)
    target = Distant(at.bkend, at.server)
    target.apply(POSTS)
    places = ("--from", at.env, "--to", target.env)
    text = at("promote", *places, "--dry-run").stdout
    assert text.startswith(f"Plan for app/{target.env}, to become as app/{at.env}:")
    assert f"Not in app/{at.env}, left alone: posts" in text
    assert "Done: Plain, closed, everything, tricky." in at("promote", *places, "--yes").stdout
    assert at("promote", *places, "--json").json["plan"] == []

    async def compare() -> None:
        async with opened(Where(server=at.server.url), TABLES) as access:
            theirs = {t.name: t for t in await (await access.at("app", at.env)).list()}
            ours = {t.name: t for t in await (await access.at("app", target.env)).list()}
            assert theirs.keys() == ours.keys() - {"posts"}
            for name, table in theirs.items():
                assert definition_of(table) == definition_of(ours[name])

    asyncio.run(compare())


def test_promote_from_a_directory_to_a_server(at: Distant) -> None:
    at.bkend("init", "--env", "laptop")
    Path("bkend.yaml").write_text(RICH)
    at.bkend("apply", "bkend.yaml")
    to = ("--from", "laptop", "--to", at.env, "--to-server", at.server.url)
    assert at.bkend("promote", *to, "--yes", "--json").json["applied"] is True
    assert at.pulled() == at.bkend("pull", "-").stdout


# -- keys, sign-in, mails ------------------------------------------------------------------


def test_settings_of_sign_in(at: Distant) -> None:
    env = ("--env", at.env, "--json")
    assert at("auth", "settings", *env).json == at.here("auth", "settings", *env).json
    changes = ["allowSignup=false", "email.enabled=true", "magicLinkExpirationMinutes=5"]
    changes += ["passwordPolicy=strict", "passwordPolicy.minLength=10"]
    options = [word for change in changes for word in ("--set", change)]
    found = at("auth", "settings", *options, *env).json
    assert (found["allowSignup"], found["magicLinkExpirationMinutes"]) == (False, 5)
    assert (found["passwordPolicy.minLength"], found["passwordPolicy.requireNumbers"]) == (10, True)
    assert found == at.here("auth", "settings", *env).json
    assert list(found) == list(at.here("auth", "settings", *env).json)
    refused = ("--set", "allowSignup=true", "--set", "magicLinkExpirationMinutes=0")
    assert "magicLinkExpirationMinutes is a whole number" in at.refused(
        "auth", "settings", *refused, *env
    )
    assert "did you mean allowSignup?" in at.refused(
        "auth", "settings", "--set", "allowSignUp=true", *env
    )
    assert at("auth", "settings", *env).json == found


def test_providers_of_sign_in(at: Distant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "hidden")
    env = ("--env", at.env, "--json")
    options = ("--client-id", "c", "--client-secret-env", "CLIENT_SECRET")
    found = at("auth", "providers", "google", *options, *env)
    assert "hidden" not in found.stdout
    assert found.json == at.here("auth", "providers", *env).json
    [google] = at("auth", "providers", "google", *env).json["items"]
    assert (google["enabled"], google["clientId"], google["hasClientSecret"]) == (True, "c", True)
    assert google["redirectUri"] is None
    at("auth", "providers", "google", "--remove", *env)
    [google] = at("auth", "providers", "google", *env).json["items"]
    assert (google["enabled"], google["hasClientSecret"]) == (False, False)
    assert "clientSecret is required" in at.refused(
        "auth", "providers", "github", "--client-id", "c", "--enabled", *env
    )


def test_mails_that_were_not_sent(at: Distant) -> None:
    assert at("outbox", "--env", at.env).stdout == "There are no mails in the outbox.\n"
    body = {"name": "U", "email": "u@x.example", "role": "user"}
    made = at.manage("POST", f"/environments/{at.env}/users", body)
    for _ in range(2):
        at.manage("POST", f"/environments/{at.env}/users/{made['id']}/verify-email")
    items = at("outbox", "--env", at.env, "--json").json["items"]
    assert items == at.here("outbox", "--env", at.env, "--json").json["items"]
    assert {mail["to"] for mail in items} == {"u@x.example"}
    [newest] = at("outbox", "--env", at.env, "--limit", "1", "--json").json["items"]
    assert newest == items[-1]
    assert "needs a session" in at.refused("outbox", "--tenants")


def test_mails_are_followed(at: Distant) -> None:
    """As they come, each once; an interrupt ends it."""
    body = {"name": "U", "email": "f@x.example", "role": "user"}
    made = at.manage("POST", f"/environments/{at.env}/users", body)
    verify = f"/environments/{at.env}/users/{made['id']}/verify-email"
    at.manage("POST", verify)
    command = ("outbox", "--follow", "--json", "--env", at.env, "--server", at.server.url)
    process = subprocess.Popen(
        [sys.executable, "-m", "bkend", *command],
        env=clean_environment({"BKEND_TOKEN": os.environ["BKEND_TOKEN"]}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        for _ in range(2):
            at.manage("POST", verify)
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, rest) == (130, "")
    items = at("outbox", "--env", at.env, "--json").json["items"]
    assert [json.loads(line)["id"] for line in lines] == [mail["id"] for mail in items]


def test_keys(at: Distant) -> None:
    place = ("--project", "app", "--env", at.env)
    made = at("keys", "create", "--type", "secret", "--name", "K", *place, "--json").json
    assert made["key"].startswith("sk_")
    assert [key["name"] for key in at("keys", "list", *place, "--json").json["items"]] == [
        "K",
        "Default",
    ]
    assert at("keys", "revoke", made["id"]).stdout == f"Revoked K ({made['maskedKey']}).\n"
    [key] = at("keys", "list", *place, "--json").json["items"]
    assert key["name"] == "Default"


# -- who may -------------------------------------------------------------------------------


def test_a_token_reaches_as_far_as_its_scopes(at: Distant, monkeypatch: pytest.MonkeyPatch) -> None:
    at.apply(POSTS)

    async def token(*scopes: str) -> str:
        async with open_core(Settings(data=at.server.data), serving=False) as core:
            made = await core.keys.create(
                type="bearer",
                name="CI",
                organization_id=at.server.made["organizationId"],
                role="member",
                scopes=scopes,
            )
            return str(made["key"])

    reading = ("project:read", "environment:read", "table:read")
    monkeypatch.setenv("BKEND_TOKEN", asyncio.run(token(*reading)))
    assert "posts" in at.pulled()
    more = POSTS.replace("slug:", "more: {type: string}\n      slug:")
    assert "table:update" in at.apply(more, code=1).stderr
    monkeypatch.setenv("BKEND_TOKEN", asyncio.run(token(*reading, "table:*")))
    assert at.apply(more, "--json").json["applied"] is True
    assert "table:data:read" in at.apply(POSTS, code=1).stderr
    monkeypatch.setenv("BKEND_TOKEN", "bt_" + "0" * 64)
    assert at.apply(POSTS, code=1).stderr == "bkend: This is no management token\n"


def test_places_that_are_not_there(at: Distant) -> None:
    message = at.refused("pull", "-", "--env", "none")
    assert message.startswith("project 'app' has no environment 'none'; known: dev, ")
    assert at.env in message
    assert "no project 'none'" in at.refused("pull", "-", "--project", "none")
    assert "there are several; name one environment" in at.refused("pull", "-")
