"""The server itself over `/manage/v1/system`, for server admins only (50 §11, 51 §8)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
import structlog

from bkend import __version__
from bkend.app import build_app
from bkend.http.manage.router import routes
from bkend.logs import RecentLogs, mask_secrets
from bkend.mail.collections import OUTBOX
from bkend.store import Find, StoreUnavailable
from tests.asgi import InProcess
from tests.http.manage.company import Caller, Company, company

SYSTEM = "/manage/v1/system"
FORBIDDEN = (403, "common/forbidden")
SCOPE = (403, "common/scope-insufficient")
INVALID = (400, "common/invalid-parameters")

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/health", None),
    ("GET", "/info", None),
    ("GET", "/jobs", None),
    ("GET", "/logs", None),
    ("GET", "/usage", None),
    ("GET", "/settings", None),
    ("GET", "/accounts", None),
    ("GET", "/accounts/{id}", None),
    ("GET", "/organizations", None),
    ("GET", "/organizations/{org}", None),
    ("PUT", "/settings", {"signup": "open"}),
    ("POST", "/mail/test", {"to": "t@example.com"}),
    ("PATCH", "/accounts/{id}", {"isServerAdmin": True}),
    ("PATCH", "/organizations/{org}", {"status": "suspended"}),
    ("POST", "/organizations/{org}/owner", None),
]


@pytest_asyncio.fixture
async def root(firm: Company) -> Caller:
    """A server admin who is a member of nothing."""
    return await firm.person("root", isServerAdmin=True)


async def token_of(firm: Company, account_id: str, *scopes: str, **options: Any) -> Caller:
    made = await firm.opened.core.keys.create(
        type="bearer",
        name="t",
        organization_id=firm.organization,
        created_by=account_id,
        scopes=scopes,
        **options,
    )
    return firm.holder(made["key"])


def path_of(firm: Company, path: str) -> str:
    owner = firm.people["owner"].account_id
    return "/system" + path.replace("{id}", owner).replace("{org}", "default")


# -- who may ----------------------------------------------------------------------------------


def test_every_route_is_asked_who_may() -> None:
    served = {
        (method, route.path.removeprefix(SYSTEM))
        for route in routes
        for method in route.methods
        if route.path.startswith(SYSTEM) and not route.path.startswith(f"{SYSTEM}/outbox")
    }
    assert served == {(method, path) for method, path, _ in CALLS}


async def test_everybody_else_is_refused(firm: Company, root: Caller) -> None:
    owner, ordinary = firm.people["owner"], firm.holder(firm.opened.made.management_token or "")
    wide = await token_of(firm, owner.account_id, "system:*")
    for method, path, body in CALLS:
        for caller in (owner, firm.people["billing"], ordinary, wide):
            refused = await caller.refused(method, path_of(firm, path), body)
            assert refused == FORBIDDEN, (method, path)
        nobody = await Caller(firm.opened, {}).refused(method, path_of(firm, path), body)
        assert nobody == (401, "auth/unauthorized")
    no_csrf = {k: v for k, v in root.headers.items() if k != "X-Bkend-CSRF"}
    refused = await Caller(firm.opened, no_csrf).refused("PUT", "/system/settings", {})
    assert refused == (403, "common/csrf-failed")


@pytest.mark.parametrize("scopes", [(), ("*:*",), ("organization:*",), ("*:read",)], ids=str)
async def test_a_token_needs_a_scope_that_says_so(
    firm: Company, root: Caller, scopes: tuple[str, ...]
) -> None:
    token = await token_of(firm, root.account_id, *scopes)
    for method, path, body in CALLS:
        assert await token.refused(method, path_of(firm, path), body) == SCOPE, (method, path)


async def test_a_token_that_may_read_changes_nothing(firm: Company, root: Caller) -> None:
    token = await token_of(firm, root.account_id, "system:read")
    for method, path, body in CALLS:
        if method == "GET":
            await token.ok(method, path_of(firm, path), body)
        else:
            assert await token.refused(method, path_of(firm, path), body) == SCOPE
    wider = await token_of(firm, root.account_id, "system:update")
    await wider.ok("PUT", "/system/settings", {"signup": "open"})
    narrow = await token_of(firm, root.account_id, "system:*", project_ids=["p"])
    assert await narrow.refused("GET", "/system/info") == SCOPE


async def test_who_is_no_server_admin_any_more_is_refused_at_once(
    firm: Company, root: Caller
) -> None:
    other = await firm.person("other", isServerAdmin=True)
    token = await token_of(firm, other.account_id, "system:read")
    await token.ok("GET", "/system/info")
    path = f"/system/accounts/{other.account_id}"
    await root.ok("PATCH", path, {"isServerAdmin": False})
    for caller in (other, token):
        assert await caller.refused("GET", "/system/info") == FORBIDDEN


# -- how it is --------------------------------------------------------------------------------


async def test_health(firm: Company, root: Caller) -> None:
    found = await root.ok("GET", "/system/health")
    results = {check["name"]: check for check in found["checks"]}
    assert list(results) == ["database", "storage", "mail", "clock", "jobs"]
    assert results["database"]["result"] == results["storage"]["result"] == "ok"
    assert results["mail"]["result"] == "warning"  # nothing is sent
    assert found["status"] == "warning"
    assert found["version"] == __version__
    before = found["requests"]
    await root.ok("GET", "/system/info")
    after = (await root.ok("GET", "/system/health"))["requests"]
    assert after["count"] >= before["count"] + 1
    assert (after["errors"], after["errorShare"]) == (0, 0)
    assert 0 < after["p50Ms"] <= after["p95Ms"]


async def test_health_names_what_failed(firm: Company, root: Caller) -> None:
    async def work() -> None:
        raise StoreUnavailable("the disk is full")

    await firm.opened.core.jobs.run("trash", work())
    await firm.opened.core.jobs.run("tokens", firm.opened.core.access_tokens.sweep())
    found = await root.ok("GET", "/system/health")
    [jobs] = [check for check in found["checks"] if check["name"] == "jobs"]
    assert jobs["details"] == ["trash: the disk is full"]
    listed = {one["name"]: one for one in await root.items("/system/jobs")}
    assert (listed["trash"]["status"], listed["trash"]["failures"]) == ("failed", 1)
    assert listed["trash"]["error"] == "the disk is full"
    assert (listed["tokens"]["status"], listed["tokens"]["runs"]) == ("ok", 1)
    assert listed["tokens"]["error"] is None
    await firm.opened.core.jobs.run("trash", firm.opened.core.access_tokens.sweep())
    found = await root.ok("GET", "/system/health")
    assert {c["name"]: c["result"] for c in found["checks"]}["jobs"] == "ok"


async def test_info(firm: Company, root: Caller) -> None:
    firm.clock.advance(61)
    found = await root.ok("GET", "/system/info")
    assert found["version"] == __version__
    assert found["uptimeSeconds"] == 61
    assert found["database"]["engine"] == firm.opened.core.database.describe()["engine"]
    assert (found["storage"], found["mail"]) == ("folder", "captured")
    assert found["counts"] == {
        "accounts": 5,
        "organizations": 1,
        "projects": 1,
        "environments": 1,
        "openEnvironments": 0,
    }


async def test_the_last_lines_of_the_log(firm: Company, root: Caller) -> None:
    logs = RecentLogs(3)
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
        logs,
        structlog.processors.JSONRenderer(),
    ]
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=processors)
    opened = InProcess(firm.opened.core, build_app(firm.opened.core, logs), firm.opened.made)
    reader = Caller(opened, root.headers)
    log.info("too old")
    log.warning("odd", request_id="r1", reason="pk_" + "a" * 64, token="t" * 20, ms=1.5)
    log.error("bad", path=Path("/x"), text="x" * 9000)
    log.info("fine")
    found = await reader.items("/system/logs")
    assert [one["event"] for one in found] == ["fine", "bad", "odd"]
    assert found[2]["fields"] == {"reason": "…", "token": "…", "ms": 1.5}
    assert (found[2]["level"], found[2]["requestId"]) == ("warning", "r1")
    assert len(found[2]["time"]) == len("2027-01-15T08:00:00.250Z")
    assert found[1]["fields"]["path"] == "/x"
    assert len(found[1]["fields"]["text"]) == 8192
    for query, events in (
        ("level=warning", ["bad", "odd"]),
        ("level=ERROR", ["bad"]),
        ("requestId=r1", ["odd"]),
        ("limit=1", ["fine"]),
        ("limit=1&page=2", ["bad"]),
    ):
        assert [one["event"] for one in await reader.items("/system/logs", query)] == events
    for query in ("level=loud", "limit=0"):
        assert await reader.refused("GET", "/system/logs", query=query) == INVALID


# -- settings ---------------------------------------------------------------------------------


async def test_what_can_be_changed_while_the_server_runs(firm: Company, root: Caller) -> None:
    found = await root.ok("GET", "/system/settings")
    assert found["signup"] == "invite"
    assert (found["trashDays"], found["activityDays"], found["maxOrigins"]) == (7, 365, 20)
    assert (found["maxProjects"], found["maxEnvironments"]) == (None, None)
    assert set(found["sources"].values()) == {"default"}
    assert found["readOnly"] == []
    body = {"signup": "open", "maxProjects": 1, "maxEnvironments": 1, "maxOrigins": 1}
    changed = await root.ok("PUT", "/system/settings", body)
    assert {name: changed[name] for name in body} == body
    assert changed["sources"]["signup"] == "stored"
    assert changed["sources"]["trashDays"] == "default"
    owner = firm.people["owner"]
    assert (await owner.ok("GET", "/setup"))["signupMode"] == "open"
    refused = await owner.refused("POST", "/projects", {"name": "x"})
    assert refused == (409, "project/limit-reached")
    refused = await owner.refused("POST", "/projects/app/environments", {"environment": "qa"})
    assert refused == (409, "environment/limit-reached")
    origins = {"allowedOrigins": ["https://a.example", "https://b.example"]}
    refused = await owner.refused("PUT", "/projects/app/cors", origins)
    assert refused == (409, "cors/limit-reached")
    assert await root.ok("PUT", "/system/settings", changed) == changed  # as it was read
    back = dict.fromkeys(body)
    after = await root.ok("PUT", "/system/settings", back)
    assert after["signup"] == "invite"
    assert set(after["sources"].values()) == {"default"}
    await owner.ok("POST", "/projects", {"name": "x"})


async def test_sign_up_opens_at_once(firm: Company, root: Caller) -> None:
    visitor = Caller(firm.opened, {"Host": "bkend.test"})
    body = {"name": "Eve", "email": "eve@example.com", "password": "four brown horses"}
    closed = await visitor.refused("POST", "/session/signup", body)
    assert closed == (403, "auth/signup-disabled")
    await root.ok("PUT", "/system/settings", {"signup": "open"})
    await visitor.ok("POST", "/session/signup", body)


async def test_the_trash_follows_the_setting(firm: Company, root: Caller) -> None:
    await root.ok("PUT", "/system/settings", {"trashDays": 30})
    await firm.people["owner"].ok("DELETE", "/organizations/default", {"confirm": "Default"})
    firm.clock.advance(29 * 24 * 3600)
    await firm.opened.core.purging.finish()
    assert len(await root.items("/system/organizations")) == 1
    await root.ok("PUT", "/system/settings", {"trashDays": 28})
    await firm.opened.core.purging.finish()
    assert await root.items("/system/organizations") == []


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"signup": "maybe"}, "signup", "enum"),
        ({"signup": 1}, "signup", "enum"),
        ({"trashDays": -1}, "trashDays", "range"),
        ({"trashDays": "7"}, "trashDays", "type"),
        ({"trashDays": True}, "trashDays", "type"),
        ({"maxOrigins": 0}, "maxOrigins", "range"),
        ({"port": 1}, "port", "unknown"),
        ({"secret": "x"}, "secret", "unknown"),
        ([], "body", "type"),
    ],
    ids=str,
)
async def test_malformed_settings(
    firm: Company, root: Caller, body: Any, field: str, rule: str
) -> None:
    good = {"activityDays": 1, **body} if isinstance(body, dict) else body
    answer = await root.call("PUT", "/system/settings", good)
    assert (answer.status, answer.json()["code"]) == INVALID
    assert [(d["field"], d["rule"]) for d in answer.json()["error"]["details"]] == [(field, rule)]
    assert (await root.ok("GET", "/system/settings"))["activityDays"] == 365


async def test_what_was_given_at_the_start_stands_and_secrets_are_not_shown(
    tmp_path: Path,
) -> None:
    given: dict[str, Any] = {
        "signup": "closed",
        "secret": "s3cret" * 8,
        "smtp_url": "smtp://ada:hunter2@mail.example.com:587",
        "console_github_client_secret": "gh-hidden",
    }
    async with company(tmp_path / "data", **given) as firm:
        root = await firm.person("root", isServerAdmin=True)
        found = await root.ok("GET", "/system/settings")
        assert (found["signup"], found["readOnly"]) == ("closed", ["signup"])
        assert found["sources"]["signup"] == "flag"
        refused = await root.refused("PUT", "/system/settings", {"signup": "open"})
        assert refused == INVALID
        await root.ok("PUT", "/system/settings", {"signup": "closed", "trashDays": 1})
        answer = await root.call("GET", "/system/settings")
        for secret in (b"s3cret", b"hunter2", b"gh-hidden"):
            assert secret not in answer.body
        server = answer.json()["server"]
        assert "BKEND_SECRET" not in server
        assert server["BKEND_SMTP_URL"]["value"].startswith("smtp://ada:***")
        assert server["BKEND_PORT"] == {"value": 8000, "source": "default"}


async def test_a_variable_is_named_as_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BKEND_TRASH_DAYS", "3")
    async with company(tmp_path / "data") as firm:
        root = await firm.person("root", isServerAdmin=True)
        found = await root.ok("GET", "/system/settings")
        assert (found["trashDays"], found["readOnly"]) == (3, ["trashDays"])
        assert found["sources"]["trashDays"] == "environment BKEND_TRASH_DAYS"
        answer = await root.call("PUT", "/system/settings", {"trashDays": 4})
        [detail] = answer.json()["error"]["details"]
        assert detail["rule"] == "readOnly"
        assert "BKEND_TRASH_DAYS" in detail["message"]


async def test_settings_set_at_the_same_moment_are_all_kept(firm: Company, root: Caller) -> None:
    bodies = [{"trashDays": 1}, {"activityDays": 2}, {"maxProjects": 3}, {"maxOrigins": 4}]
    await asyncio.gather(*(root.ok("PUT", "/system/settings", body) for body in bodies))
    found = await root.ok("GET", "/system/settings")
    for body in bodies:
        for name, value in body.items():
            assert found[name] == value


# -- mail -------------------------------------------------------------------------------------


async def test_a_test_mail(firm: Company, root: Caller) -> None:
    answer = await root.ok("POST", "/system/mail/test", {"to": "Ops@Example.com", "locale": "ko"})
    assert (answer["to"], answer["captured"]) == ("ops@example.com", True)
    page = await firm.opened.core.database.control.find(Find(OUTBOX))
    [mail] = orjson.loads(page.items)
    assert (mail["to"], mail["locale"]) == ("ops@example.com", "ko")
    [shown] = await root.items("/system/outbox")
    assert shown["id"] == mail["id"]
    for body in ({}, {"to": "nobody"}, {"to": {"$ne": None}}, {"to": "a@x.de", "locale": "fr"}):
        assert await root.refused("POST", "/system/mail/test", body) == INVALID
