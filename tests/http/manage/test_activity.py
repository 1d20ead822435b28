# ruff: noqa: E501  one line a step reads better
"""Activity: every change is reported, in the commit of the change (51 §3.11)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bkend.auth.collections import AUTH_SETTINGS
from bkend.http.manage.events import CHANGES_NOTHING, PREFIX, SUBJECTS
from bkend.http.manage.router import routes
from bkend.manage.activity import EVENTS, Actor, Place
from bkend.manage.control import ACTIVITIES
from bkend.manage.recording import Report, reporting
from bkend.manage.relay import Relay
from bkend.store import Conflict, DeleteWhere, Equals, Find, Insert, Update
from tests.http.manage.company import Company

ENV = "/projects/app/environments/dev"
ORG = "/organizations/default"
_OTHERS = (
    *("/setup", "/session", "/account", "/device", "/notifications"),
    *("/system/accounts", "/system/mail", "/system/outbox", "/system/settings"),
)
"""Of accounts and the server, not of organizations."""

FORM_TYPE = "multipart/form-data; boundary=xyz"
FORM = (
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n--xyz--\r\n"
)

Step = tuple[str, str, str, Any, str | None]
"""Method, route, path, body, event; `{name}` in a path is the id that a step before has kept."""

STEPS: list[Step] = [
    ("POST", "/organizations", "/organizations", {"name": "Second"}, "organization_created"),
    ("PATCH", "/organizations/{org}", ORG, {"name": "First"}, "organization_updated"),
    ("POST", "/projects", "/projects", {"name": "Shop", "organizationId": "default"}, "project_created"),
    ("PATCH", "/projects/{project}", "/projects/shop", {"description": "d"}, "project_updated"),
    (
        "PUT",
        "/projects/{project}/cors",
        "/projects/shop/cors",
        {"allowedOrigins": ["https://a.example"]},
        "project_updated",
    ),
    (
        "POST",
        "/projects/{project}/cors/origins",
        "/projects/shop/cors/origins",
        {"origin": "https://b.example"},
        "project_updated",
    ),
    (
        "DELETE",
        "/projects/{project}/cors/origins",
        "/projects/shop/cors/origins",
        {"origin": "https://b.example"},
        "project_updated",
    ),
    ("DELETE", "/projects/{project}", "/projects/shop", {"confirm": "Shop"}, "project_deleted"),
    ("POST", "/projects/{project}/environments", "/projects/app/environments", {"environment": "qa"}, "environment_created"),
    ("POST", "{env}/tables", f"{ENV}/tables", {"tableName": "posts", "schema": {"a": "string"}}, "table_created"),
    ("POST", "/projects/{project}/environments/{env}/copy-to/{target}", f"{ENV}/copy-to/qa", {"tables": ["posts"]}, "environment_updated"),
    ("POST", "/projects/{project}/environments/{env}/retry", "/projects/app/environments/qa/retry", None, "environment_deployed"),
    ("DELETE", "/projects/{project}/environments/{env}", "/projects/app/environments/qa", {"confirm": "qa"}, "environment_deleted"),
    ("POST", "{env}/api-keys", f"{ENV}/api-keys", {"type": "secret", "name": "k"}, "access_token_created"),
    ("PATCH", "{env}/api-keys/{id}", f"{ENV}/api-keys/{{made}}", {"name": "k2"}, "access_token_updated"),
    ("DELETE", "{env}/api-keys/{id}", f"{ENV}/api-keys/{{made}}", None, "access_token_deleted"),
    ("PATCH", "{env}/tables/{table}", f"{ENV}/tables/posts", {"displayName": "P"}, "table_updated"),
    ("POST", "{env}/tables/{table}/fields/manage", f"{ENV}/tables/posts/fields/manage", {"fieldsToAddOrUpdate": {"b": "number"}}, "schema_applied"),
    ("POST", "{env}/tables/{table}/schema/versions/{version}/apply", f"{ENV}/tables/posts/schema/versions/1/apply", None, "schema_applied"),
    ("POST", "{env}/tables/{table}/indexes/manage", f"{ENV}/tables/posts/indexes/manage", {"indexesToAddOrUpdate": [{"name": "i", "fields": {"a": 1}}]}, "index_updated"),
    ("POST", "{env}/tables/{table}/indexes/versions/{version}/apply", f"{ENV}/tables/posts/indexes/versions/1/apply", None, "index_updated"),
    ("PUT", "{env}/tables/{table}/permissions", f"{ENV}/tables/posts/permissions", {"permissions": {"guest": {"read": True}}}, "permissions_updated"),
    ("POST", "{env}/tables/{table}/records", f"{ENV}/tables/posts/records", {"a": "x"}, "record_created"),
    ("PATCH", "{env}/tables/{table}/records/{id}", f"{ENV}/tables/posts/records/{{made}}", {"a": "y"}, "record_updated"),
    ("POST", "{env}/tables/{table}/records/bulk-delete", f"{ENV}/tables/posts/records/bulk-delete", {"ids": ["{made}"], "confirm": "posts"}, "record_deleted"),
    ("POST", "{env}/tables/{table}/records", f"{ENV}/tables/posts/records", {"a": "x"}, "record_created"),
    ("DELETE", "{env}/tables/{table}/records/{id}", f"{ENV}/tables/posts/records/{{made}}", None, "record_deleted"),
    ("DELETE", "{env}/tables/{table}", f"{ENV}/tables/posts", {"confirm": "posts"}, "table_deleted"),
    ("POST", "{env}/users", f"{ENV}/users", {"name": "G", "email": "g@x.example", "role": "user"}, "user_created"),
    ("PATCH", "{env}/users/{id}", f"{ENV}/users/{{made}}", {"status": "banned"}, "user_updated"),
    ("PATCH", "{env}/users/{id}/role", f"{ENV}/users/{{made}}/role", {"role": "admin"}, "user_updated"),
    ("POST", "{env}/users/{id}/password-reset", f"{ENV}/users/{{made}}/password-reset", None, "user_updated"),
    ("POST", "{env}/users/{id}/verify-email", f"{ENV}/users/{{made}}/verify-email", None, "user_updated"),
    ("DELETE", "{env}/users/{id}/sessions", f"{ENV}/users/{{user}}/sessions", None, "user_updated"),
    ("DELETE", "{env}/users/{id}/sessions/{session_id}", f"{ENV}/users/{{user}}/sessions/{{session}}", None, "user_updated"),
    ("PUT", "{env}/users/{id}/claim-email", f"{ENV}/users/{{nameless}}/claim-email", {"email": "n@x.example"}, "user_updated"),
    ("DELETE", "{env}/users/{id}", f"{ENV}/users/{{made}}", {"confirm": "g@x.example"}, "user_deleted"),
    ("POST", "{env}/files", f"{ENV}/files", "form", "file_created"),
    ("PATCH", "{env}/files/{id}", f"{ENV}/files/{{made}}", {"originalName": "b.txt"}, "file_updated"),
    ("POST", "{env}/files/{id}/download-url", f"{ENV}/files/{{made}}/download-url", None, None),
    ("DELETE", "{env}/files/{id}", f"{ENV}/files/{{made}}", None, "file_deleted"),
    ("PUT", "{env}/auth/providers/email", f"{ENV}/auth/providers/email", {"magicLinkEnabled": False}, "auth_config_updated"),
    ("PUT", "{env}/auth/settings", f"{ENV}/auth/settings", {"allowSignup": False}, "auth_config_updated"),
    ("PUT", "{env}/auth/providers/oauth/{provider}", f"{ENV}/auth/providers/oauth/google", {"clientId": "c", "clientSecret": "hidden-value"}, "auth_config_updated"),
    ("DELETE", "{env}/auth/providers/oauth/{provider}", f"{ENV}/auth/providers/oauth/google", None, "auth_config_updated"),
    ("PUT", "{env}/email-templates/config", f"{ENV}/email-templates/config", {"senderName": "S"}, "email_template_updated"),
    ("PUT", "{env}/email-templates/{id}", f"{ENV}/email-templates/magic_link", {"subject": "s", "body": "b"}, "email_template_updated"),
    ("DELETE", "{env}/email-templates/{id}", f"{ENV}/email-templates/magic_link", None, "email_template_updated"),
    ("POST", "{env}/email-templates/{id}/preview", f"{ENV}/email-templates/magic_link/preview", None, None),
    ("POST", "{env}/email-templates/{id}/send-test", f"{ENV}/email-templates/magic_link/send-test", {"to": "t@x.example"}, "email_test_sent"),
    ("DELETE", "{env}/outbox", f"{ENV}/outbox", None, "outbox_cleared"),
    ("POST", "/organizations/{org}/invitations", f"{ORG}/invitations", {"email": "i@people.example", "name": "I", "role": "member"}, "invitation_created"),
    ("POST", "/organizations/{org}/invitations/{id}/resend", f"{ORG}/invitations/{{made}}/resend", None, "invitation_resent"),
    ("DELETE", "/organizations/{org}/invitations/{id}", f"{ORG}/invitations/{{made}}", None, "invitation_revoked"),
    ("POST", "/invitations/{token}/accept", "/invitations/{accepted}/accept", "guest", "invitation_accepted"),
    ("POST", "/invitations/{token}/decline", "/invitations/{declined}/decline", "guest", "invitation_rejected"),
    ("PATCH", "/organizations/{org}/members/{id}", f"{ORG}/members/{{member}}", {"role": "billing"}, "member_role_updated"),
    ("DELETE", "/organizations/{org}/members/{id}", f"{ORG}/members/{{member}}", {"confirm": "member@people.example"}, "member_removed"),
    ("POST", "/organizations/{org}/transfer", f"{ORG}/transfer", {"accountId": "{admin}", "confirm": "transfer"}, "organization_ownership_transferred"),
    ("POST", "/organizations/{org}/leave", f"{ORG}/leave", {"confirm": "leave"}, "member_left"),
    ("DELETE", "/organizations/{org}", ORG, {"confirm": "First"}, "organization_deleted"),
    ("PATCH", "/system/organizations/{org}", f"/system{ORG}", {"status": "active"}, "organization_updated"),
    ("POST", "/system/organizations/{org}/owner", f"/system{ORG}/owner", None, "organization_ownership_transferred"),
]  # fmt: skip


def _whole(route: str) -> str:
    """The route as the router names it."""
    return f"{PREFIX}{route[5:]}" if route.startswith("{env}") else f"/manage/v1{route}"


def test_every_route_that_changes_something_is_asked() -> None:
    changing = {
        (method, route.path)
        for route in routes
        for method in route.methods - {"GET", "HEAD", "OPTIONS"}
        if not route.path.removeprefix("/manage/v1").startswith(_OTHERS)
    }
    assert changing == {(method, _whole(route)) for method, route, *_ in STEPS}


def test_every_subject_has_a_known_event() -> None:
    assert {subject.event for subject in SUBJECTS.values()} <= EVENTS.keys()
    assert not SUBJECTS.keys() & CHANGES_NOTHING


async def test_every_change_is_reported(firm: Company) -> None:
    owner = firm.people["owner"]
    kept = await prepare(firm)
    for method, route, path, body, event in STEPS:
        if route.endswith("/retry"):
            await fail_environment(firm)
        before = await newest(firm)
        caller = await firm.person(f"guest{len(firm.people)}") if body == "guest" else owner
        if body == "guest":
            name = "accepted" if "accept" in route else "declined"
            kept[name] = await invite(firm, caller.email)
            before = await newest(firm)
        if (method, route) == ("DELETE", "/organizations/{org}"):
            caller = firm.people["admin"]  # the Owner by now
        if route.startswith("/system"):
            caller = firm.people.get("root") or await firm.person("root", isServerAdmin=True)
        if route.endswith("/owner"):
            of_owner = Equals(("role",), "owner")
            await firm.opened.core.database.control.commit([DeleteWhere("members", of_owner)])
        answer = await send(caller, method, path, body, kept)
        assert answer.status < 300, (method, path, answer.body)
        found = answer.json()
        if isinstance(found, dict) and method == "POST" and "id" in found:
            kept["made"] = found["id"]
        after = await newest(firm)
        if event is None:
            assert after == before, (method, route)
            continue
        new = await since(firm, before)
        assert event in [one["event"] for one in new], (method, route, new)
        for one in new:
            assert one["actor"]["id"] == caller.account_id
            assert (one["entityType"], one["action"]) == EVENTS[one["event"]]
            assert one["ip"]
            assert one["target"]["id"]
            assert "hidden-value" not in str(one)


async def prepare(firm: Company) -> dict[str, str]:
    """What the steps point at."""
    core = firm.opened.core
    kept = {"admin": firm.people["admin"].account_id}
    members = await firm.people["owner"].items(f"{ORG}/members")
    kept["member"] = next(one["id"] for one in members if one["role"] == "member")
    key = firm.opened.made.publishable_key or ""
    body = {"email": "u@x.example", "password": "correct horse", "name": "U"}
    made = (await firm.data("POST", "auth/email/signup", key, body)).json()
    kept["user"] = made["user"]["id"]
    services = await core.environment("app", "dev")
    nameless = await services.users.create("N", "tmp@x.example", "user", ())
    environment = await core.hierarchy.environment("app", "dev")
    store = await core.database.environment(environment["id"])
    await store.commit([Update("users", nameless["id"], set={"email": None}, unset=("emailKey",))])
    accounts = Equals(("userId",), nameless["id"])
    await store.commit([DeleteWhere("accounts", accounts)])
    kept["nameless"] = nameless["id"]
    return kept


async def fail_environment(firm: Company) -> None:
    control = firm.opened.core.database.control
    documents = await firm.people["owner"].items("/projects/app/environments")
    [qa] = [one for one in documents if one["environment"] == "qa"]
    failed = {**qa["deployment"], "status": "failed"}
    change = Update("environments", qa["id"], set={"status": "failed", "deployment": failed})
    await control.commit([change])


async def invite(firm: Company, email: str) -> str:
    body = {"email": email, "name": "I", "role": "member"}
    made = await firm.people["owner"].ok("POST", f"{ORG}/invitations", body)
    return str(made["acceptUrl"]).rpartition("/")[2]


async def send(caller: Any, method: str, path: str, body: Any, kept: dict[str, str]) -> Any:
    if "{session}" in path:
        key = caller.opened.made.publishable_key
        sign_in = orjson.dumps({"email": "u@x.example", "password": "correct horse"})
        await caller.opened.call("POST", "/v1/auth/email/signin", body=sign_in, key=key)
        sessions = await caller.items(f"{ENV}/users/{kept['user']}/sessions")
        kept["session"] = sessions[0]["id"]
    for name, value in kept.items():
        path = path.replace(f"{{{name}}}", value)
        if isinstance(body, dict):
            body = orjson.loads(orjson.dumps(body).decode().replace(f"{{{name}}}", value))
    if body == "form":
        return await caller.call(method, path, FORM, Content_Type=FORM_TYPE)
    return await caller.call(method, path, None if body == "guest" else body)


async def newest(firm: Company) -> str:
    """The id of the last activity of all."""
    page = await firm.opened.core.database.control.find(Find(ACTIVITIES, limit=1))
    found = orjson.loads(page.items)
    return found[0]["id"] if found else ""


async def since(firm: Company, id: str) -> list[Any]:
    """The activities after one."""
    page = await firm.opened.core.database.control.find(Find(ACTIVITIES, limit=50))
    found: list[Any] = []
    for one in orjson.loads(page.items):
        if one["id"] == id:
            break
        found.append(one)
    return found


# -- the same commit --------------------------------------------------------------------------


async def test_a_refused_change_is_not_reported(firm: Company) -> None:
    owner, before = firm.people["owner"], await newest(firm)
    for method, path, body in (
        ("POST", f"{ENV}/tables", {"tableName": "users"}),
        ("PUT", f"{ENV}/auth/settings", {"nonsense": 1}),
        ("DELETE", f"{ENV}/tables/none", {"confirm": "none"}),
        ("POST", "/projects", {"name": ""}),
        ("POST", f"{ENV}/tables/none/records", {}),
    ):
        assert (await owner.call(method, path, body)).status >= 400
    assert await newest(firm) == before


async def test_what_apps_do_is_not_reported(firm: Company) -> None:
    await firm.people["owner"].ok("POST", f"{ENV}/tables", {"tableName": "t", "schema": {}})
    before = await newest(firm)
    secret = firm.opened.made.secret_key or ""
    assert (await firm.data("POST", "data/t", secret, {})).status == 201
    assert await newest(firm) == before


async def test_change_and_entry_are_there_together_or_not_at_all(firm: Company) -> None:
    core, owner = firm.opened.core, firm.people["owner"]
    document = await core.hierarchy.environment("app", "dev")
    environment = await core.environments.get(document["id"])
    assert environment is not None
    store, inner = environment.store, await core.database.environment(document["id"])
    subject = SUBJECTS["PUT", "/auth/settings"]
    actor = Actor("tenant", owner.account_id, "Owner", owner.account_id)
    with reporting(Report(subject, actor, Place(firm.organization), "settings")):
        await store.commit([Insert(AUTH_SETTINGS, "x", {"a": 1}, 0, 0)])
        before = await newest(firm)
        guard = Equals(("a",), 2)
        with pytest.raises(Conflict):
            await store.commit([Update(AUTH_SETTINGS, "x", set={"a": 3}, guard=guard)])
    assert await newest(firm) == before
    assert await inner.count(ACTIVITIES) == 0


async def test_an_entry_that_was_left_in_its_environment_is_taken_later(firm: Company) -> None:
    core = firm.opened.core
    document = await core.hierarchy.environment("app", "dev")
    store = await core.database.environment(document["id"])
    await firm.people["owner"].ok("PUT", f"{ENV}/auth/settings", {"allowSignup": False})
    page = await core.database.control.find(Find(ACTIVITIES, limit=1))
    [said] = orjson.loads(page.items)
    for id in (said["id"], "act_later"):  # one was copied before the crash, one was not
        fields = {n: v for n, v in said.items() if n not in ("id", "createdBy")}
        fields = {n: v for n, v in fields.items() if not n.endswith("At")}
        await store.commit([Insert(ACTIVITIES, id, fields, 1, 1, said["createdBy"])])
    await Relay(core.database.control).take(store)
    assert await store.count(ACTIVITIES) == 0
    assert await core.database.control.get(ACTIVITIES, "act_later") is not None


# -- reading ----------------------------------------------------------------------------------


async def test_lists_are_narrowed(firm: Company) -> None:
    owner, admin = firm.people["owner"], firm.people["admin"]
    await owner.ok("POST", f"{ENV}/tables", {"tableName": "posts", "schema": {}})
    firm.clock.advance(60)
    await admin.ok("POST", "/projects", {"name": "Shop"})
    activities = f"{ORG}/activities"
    everything = [one["event"] for one in await owner.items(activities)]
    assert set(everything[: everything.index("table_created")]) == {
        "project_created",
        "environment_created",
        "access_token_created",
    }
    for query, events in (
        ("entityType=table", ["table_created"]),
        ("entityType=TABLE&action=created", ["table_created"]),
        ("action=deleted", []),
        (f"actorId={owner.account_id}", ["table_created"]),
        (f"entityType=table&projectId={firm.opened.made.project_id}", ["table_created"]),
        ("search=POSTS", ["table_created"]),
        ("entityType=table&to=2027-01-15T08:00:30Z", ["table_created"]),
        ("from=2027-01-15T08:00:30Z&entityType=table", []),
    ):
        found = [one["event"] for one in await owner.items(activities, query)]
        assert found == events, query
    table, *_ = await owner.items("/projects/app/activities")
    assert table["target"]["name"] == "posts"
    assert table["environment"] == "dev"
    assert table["actor"] == {"type": "tenant", "id": owner.account_id, "name": "Owner"}
    for query in ("from=yesterday", "to=x"):
        refused = await owner.refused("GET", activities, query=query)
        assert refused == (400, "common/invalid-parameters")
    for name in ("member", "billing"):
        refused = await firm.people[name].refused("GET", activities)
        assert refused == (403, "common/forbidden")


async def test_before_and_after_without_secrets(firm: Company) -> None:
    owner = firm.people["owner"]
    google = f"{ENV}/auth/providers/oauth/google"
    await owner.ok("PUT", google, {"clientId": "one", "clientSecret": "first-secret"})
    await owner.ok("PUT", google, {"clientId": "two", "clientSecret": "second-secret"})
    [last, *_] = await owner.items(f"{ORG}/activities", "entityType=auth_config")
    assert set(last["metadata"]["changed"]) == {"clientId", "clientSecret"}
    assert last["metadata"]["before"] == {"clientId": "one"}
    assert last["metadata"]["after"] == {"clientId": "two"}
    assert last["target"] == {"type": "auth_config", "id": "google", "name": None}


async def test_a_token_is_an_actor_of_its_own(firm: Company) -> None:
    holder = firm.holder(firm.opened.made.management_token or "")
    await holder.ok("PATCH", "/projects/app", {"description": "d"})
    found, *_ = await firm.people["owner"].items("/projects/app/activities")
    assert (found["actor"]["type"], found["actor"]["name"]) == ("token", "Command line")


async def test_old_activity_is_forgotten(firm: Company) -> None:
    owner, core = firm.people["owner"], firm.opened.core
    await owner.ok("PATCH", "/projects/app", {"description": "d"})
    held = await core.database.control.count(ACTIVITIES)
    firm.clock.advance(364 * 24 * 3600)
    await core.activities.sweep()
    assert await core.database.control.count(ACTIVITIES) == held > 0
    firm.clock.advance(2 * 24 * 3600)
    await core.activities.sweep()
    assert await core.database.control.count(ACTIVITIES) == 0
