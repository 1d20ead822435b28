"""Every call of the management API, once, so that it succeeds."""

from __future__ import annotations

from typing import Any

import pyotp

from tests.openapi.world import PASSWORD, Headers, World, by_token, sign_up_user, token_in

M = "/manage/v1"
ORG = f"{M}/organizations/{{org}}"
PROJECT = f"{M}/projects/{{project}}"
ENV = f"{PROJECT}/environments/{{env}}"
TABLE = f"{ENV}/tables/{{table}}"
USER = f"{ENV}/users/{{id}}"
FILE = f"{ENV}/files/{{id}}"


def tell(world: World) -> None:
    """All of it, in an order in which it makes sense."""
    people(world)
    organizations(world)
    projects(world)
    tables(world)
    users(world)
    mail(world)
    files(world)
    system(world)
    ends(world)


def people(world: World) -> None:
    ok, made = world.asking.ok, world.server.made
    nobody: Headers = {}
    ok("GET", f"{M}/setup", headers=nobody)
    first = {"name": "Ada", "email": "ada@people.example", "password": PASSWORD}
    ok("POST", f"{M}/setup", {**first, "organization": {"name": "Works"}}, headers=nobody)
    ada = world.log_in("ada@people.example")
    world.ids["org"] = made["organizationId"]
    ok("GET", f"{M}/session", headers=ada)
    ok("GET", f"{M}/session", headers=by_token(made["managementToken"]))
    ok("GET", f"{M}/account", headers=ada)
    ok("PATCH", f"{M}/account", {"name": "Ada L", "theme": "dark"}, headers=ada)
    sign_ups(world, ada)
    mailed_links(world, ada)
    password_and_factor(world)
    tokens_and_devices(world, ada)
    github = {"provider": "github"}
    ok("GET", f"{M}/session/oauth/{{provider}}", headers=nobody, **github)
    ok("GET", f"{M}/session/oauth/{{provider}}/callback", headers=nobody, **github)


def sign_ups(world: World, ada: Headers) -> None:
    ok = world.asking.ok
    bob = {"name": "Bob", "email": "bob@people.example", "password": PASSWORD}
    ok("POST", f"{M}/session/signup", bob, headers={})
    login = {"email": bob["email"], "password": PASSWORD}
    ok("POST", f"{M}/session/login", login, headers={})
    bobs = world.log_in(bob["email"])
    ok("GET", f"{M}/account/sessions", headers=bobs)
    sessions = ok("GET", f"{M}/account/sessions", headers=bobs)["items"]
    other = next(one["id"] for one in sessions if not one["isCurrent"])
    ok("DELETE", f"{M}/account/sessions/{{id}}", headers=bobs, id=other)
    ok("DELETE", f"{M}/account/sessions", headers=bobs)
    ok("DELETE", f"{M}/session", headers=world.log_in(bob["email"]))
    ok("GET", f"{M}/notifications", headers=ada)
    ok("POST", f"{M}/notifications/read", headers=ada)
    leaver = world.sign_up("leaver")
    proof = {"confirm": "leaver@people.example", "password": PASSWORD}
    ok("DELETE", f"{M}/account", proof, headers=leaver)


def mailed_links(world: World, ada: Headers) -> None:
    ok = world.asking.ok
    carol = {"email": "carol@people.example"}
    carols = world.sign_up("carol")
    ok("POST", f"{M}/session/verify-email/resend", headers=carols)
    ok("GET", f"{M}/system/outbox", headers=ada)
    [newest, *_] = world.server_mails(ada)
    ok("GET", f"{M}/system/outbox/{{id}}", headers=ada, id=newest["id"])
    ok("POST", f"{M}/session/verify-email", {"token": token_in(newest)}, headers={})
    ok("POST", f"{M}/session/magic-link", carol, headers={})
    link = token_in(world.server_mails(ada)[0])
    ok("POST", f"{M}/session/magic-link/confirm", {"token": link}, headers={})
    ok("POST", f"{M}/session/password/forgot", carol, headers={})
    reset = {"token": token_in(world.server_mails(ada)[0]), "newPassword": PASSWORD + "!"}
    ok("POST", f"{M}/session/password/reset", reset, headers={})
    ok("DELETE", f"{M}/system/outbox", headers=ada)


def password_and_factor(world: World) -> None:
    ok = world.asking.ok
    dora = world.sign_up("dora")
    change = {"currentPassword": PASSWORD, "newPassword": PASSWORD + "?"}
    ok("PUT", f"{M}/account/password", change, headers=dora)
    proof = {"password": PASSWORD + "?"}
    secret = ok("POST", f"{M}/account/mfa", proof, headers=dora)["secret"]
    code = pyotp.TOTP(secret).now()
    codes = ok("POST", f"{M}/account/mfa/confirm", {"code": code}, headers=dora)["backupCodes"]
    ok("DELETE", f"{M}/account/mfa", {**proof, "code": codes[0]}, headers=dora)


def tokens_and_devices(world: World, ada: Headers) -> None:
    ok = world.asking.ok
    mine = {"name": "ci", "organizationId": world.ids["org"]}
    made = ok("POST", f"{M}/account/tokens", mine, headers=ada)
    ok("GET", f"{M}/account/tokens", headers=ada)
    ok("DELETE", f"{M}/account/tokens/{{id}}", headers=ada, id=made["id"])
    begun = ok("POST", f"{M}/device/authorize", {"name": "laptop"}, headers={})
    code = {"code": begun["userCode"]}
    ok("GET", f"{M}/device/{{code}}", headers=ada, **code)
    for_it = {"organizationId": world.ids["org"]}
    ok("POST", f"{M}/device/{{code}}", for_it, headers=ada, **code)
    fetched = {"deviceCode": begun["deviceCode"]}
    token = ok("POST", f"{M}/device/token", fetched, headers={})["key"]
    world.ids["token"] = token
    ok("DELETE", f"{M}/session", headers=by_token(token))
    unwanted = ok("POST", f"{M}/device/authorize", headers={})["userCode"]
    ok("DELETE", f"{M}/device/{{code}}", headers=ada, code=unwanted)


def organizations(world: World) -> None:
    ok, ada = world.asking.ok, world.log_in("ada@people.example")
    ok("GET", f"{M}/organizations", headers=ada)
    new = {"name": "Second", "description": "to be left"}
    org = ok("POST", f"{M}/organizations", new, headers=ada)["id"]
    ok("GET", ORG, headers=ada, org=org)
    ok("PATCH", ORG, {"displayName": "The second"}, headers=ada, org=org)
    for view in ("stats", "activities", "login-events", "access-tokens"):
        ok("GET", f"{ORG}/{view}", headers=ada, org=world.ids["org"])
    token = ok("GET", f"{ORG}/access-tokens", headers=ada, org=world.ids["org"])["items"][0]
    at = {"org": world.ids["org"], "id": token["id"]}
    ok("GET", f"{ORG}/access-tokens/{{id}}", headers=ada, **at)
    team(world, ada, org)


def team(world: World, ada: Headers, org: str) -> None:
    ok, invited = world.asking.ok, f"{ORG}/invitations"
    people = ("bob", "carol", "dora")
    wanted = {name: {"email": f"{name}@people.example", "name": name} for name in people}
    bobs = ok("POST", invited, {**wanted["bob"], "role": "admin"}, headers=ada, org=org)
    ok("GET", invited, headers=ada, org=org)
    ok("GET", f"{invited}/{{id}}", headers=ada, org=org, id=bobs["id"])
    bobs = ok("POST", f"{invited}/{{id}}/resend", headers=ada, org=org, id=bobs["id"])
    token = bobs["acceptUrl"].rpartition("/")[2]
    bob = world.log_in("bob@people.example")
    ok("GET", f"{M}/invitations/{{token}}", headers={}, token=token)
    ok("POST", f"{M}/invitations/{{token}}/accept", headers=bob, token=token)
    carols = ok("POST", invited, wanted["carol"], headers=ada, org=org)
    refused = carols["acceptUrl"].rpartition("/")[2]
    carol = world.log_in("carol@people.example", PASSWORD + "!")
    ok("POST", f"{M}/invitations/{{token}}/decline", headers=carol, token=refused)
    doras = ok("POST", invited, wanted["dora"], headers=ada, org=org)
    ok("DELETE", f"{invited}/{{id}}", headers=ada, org=org, id=doras["id"])
    members = ok("GET", f"{ORG}/members", headers=ada, org=org)["items"]
    other = next(one for one in members if not one["isYou"])
    at = {"org": org, "id": other["id"]}
    ok("GET", f"{ORG}/members/{{id}}", headers=ada, **at)
    ok("PATCH", f"{ORG}/members/{{id}}", {"role": "member"}, headers=ada, **at)
    heir = {"accountId": other["accountId"], "confirm": "transfer"}
    ok("POST", f"{ORG}/transfer", heir, headers=ada, org=org)
    ok("POST", f"{ORG}/leave", headers=ada, query={"confirm": "leave"}, org=org)
    again = ok("POST", invited, {**wanted["carol"], "role": "member"}, headers=bob, org=org)
    token = again["acceptUrl"].rpartition("/")[2]
    ok("POST", f"{M}/invitations/{{token}}/accept", headers=carol, token=token)
    members = ok("GET", f"{ORG}/members", headers=bob, org=org)["items"]
    at["id"] = next(one["id"] for one in members if not one["isYou"])
    confirm = {"confirm": "carol@people.example"}
    ok("DELETE", f"{ORG}/members/{{id}}", headers=bob, query=confirm, **at)
    ok("DELETE", ORG, headers=bob, query={"confirm": "Second"}, org=org)


def projects(world: World) -> None:
    ok, headers = world.asking.ok, by_token(world.server.made["managementToken"])
    ok("GET", f"{M}/projects", headers=headers)
    new = {"name": "Shop", "organizationId": world.ids["org"]}
    made = ok("POST", f"{M}/projects", new, headers=headers)
    shop = made["id"]
    world.ids |= {"project": shop, "env": "dev", "key": made["apiKey"]["key"]}
    at = {"project": shop}
    ok("GET", PROJECT, headers=headers, **at)
    settings = {"customRoles": ["editor"], "storage.defaultVisibility": "private"}
    ok("PATCH", PROJECT, {"description": "Sells", "settings": settings}, headers=headers, **at)
    for view in ("stats", "activities", "cors", "environments"):
        ok("GET", f"{PROJECT}/{view}", headers=headers, **at)
    ok("PUT", f"{PROJECT}/cors", {"allowedOrigins": []}, headers=headers, **at)
    origin = {"origin": "https://shop.example"}
    ok("POST", f"{PROJECT}/cors/origins", origin, headers=headers, **at)
    ok("DELETE", f"{PROJECT}/cors/origins", headers=headers, query=origin, **at)
    environments(world, headers)
    extra = ok("POST", f"{M}/projects", {**new, "name": "Gone"}, headers=headers)["id"]
    ok("DELETE", PROJECT, headers=headers, query={"confirm": "Gone"}, project=extra)


def environments(world: World, headers: Headers) -> None:
    ok, at = world.asking.ok, {"project": world.ids["project"]}
    copy = {"environment": "staging", "copySchemaFrom": "dev"}
    ok("POST", f"{PROJECT}/environments", copy, headers=headers, **at)
    ok("GET", ENV, headers=headers, env="staging", **at)
    target = {"env": "dev", "target": "staging", **at}
    ok("POST", f"{ENV}/copy-to/{{target}}", {"auth": True}, headers=headers, **target)
    keys, inside = f"{ENV}/api-keys", {"env": "staging", **at}
    new = {"type": "secret", "name": "server", "scopes": ["posts:read"]}
    made = ok("POST", keys, new, headers=headers, **inside)
    ok("GET", keys, headers=headers, **inside)
    ok("GET", f"{keys}/{{id}}", headers=headers, id=made["id"], **inside)
    ok("PATCH", f"{keys}/{{id}}", {"name": "worker"}, headers=headers, id=made["id"], **inside)
    ok("DELETE", f"{keys}/{{id}}", headers=headers, id=made["id"], **inside)
    ok("DELETE", ENV, headers=headers, query={"confirm": "staging"}, **inside)


def tables(world: World) -> None:
    ok, headers = world.asking.ok, by_token(world.server.made["managementToken"])
    at = {"project": world.ids["project"], "env": "dev"}
    columns = {"title": {"type": "string", "required": True}, "views": "number"}
    indexes = [{"name": "by_views", "fields": {"views": -1}}]
    new = {"tableName": "posts", "schema": columns, "indexes": indexes}
    world.ids["table"] = ok("POST", f"{ENV}/tables", new, headers=headers, **at)["id"]
    ok("GET", f"{ENV}/tables", headers=headers, query={"includeSystem": "true"}, **at)
    at["table"] = "posts"
    ok("GET", TABLE, headers=headers, **at)
    ok("PATCH", TABLE, {"displayName": "Posts"}, headers=headers, **at)
    parts = {"permissions": {"guest": {"read": True}}, "rowFilters": None}
    ok("PUT", f"{TABLE}/permissions", parts, headers=headers, **at)
    more = {"fieldsToAddOrUpdate": {"draft": "boolean"}, "requiredFieldsToRemove": ["title"]}
    ok("POST", f"{TABLE}/fields/manage", more, headers=headers, **at)
    another = {"indexesToAddOrUpdate": [{"name": "by_title", "fields": {"title": 1}}]}
    ok("POST", f"{TABLE}/indexes/manage", another, headers=headers, **at)
    for view in ("permissions", "api-docs", "openapi", "schema/versions", "indexes/versions"):
        ok("GET", f"{TABLE}/{view}", headers=headers, **at)
    for kind in ("schema", "indexes"):
        version = f"{TABLE}/{kind}/versions/{{version}}"
        ok("GET", version, headers=headers, version="1", **at)
        ok("POST", f"{version}/apply", headers=headers, version="1", **at)
    rows = f"{TABLE}/records"
    made = ok("POST", rows, {"title": "One", "views": 1}, headers=headers, **at)
    many = ok("POST", rows, [{"title": "Two"}, {"title": "Three"}], headers=headers, **at)
    ok("GET", rows, headers=headers, query={"sortBy": "views", "limit": 2}, **at)
    row = {**at, "id": made["id"]}
    ok("GET", f"{rows}/{{id}}", headers=headers, **row)
    ok("PATCH", f"{rows}/{{id}}", {"views": 2}, headers=headers, **row)
    ok("DELETE", f"{rows}/{{id}}", headers=headers, **row)
    gone = {"ids": [many[0]["id"]], "confirm": "posts"}
    ok("POST", f"{rows}/bulk-delete", gone, headers=headers, **at)
    world.ids["record"] = many[1]["id"]
    for form in ("json", "ndjson", "csv"):
        ok("GET", f"{TABLE}/export", headers=headers, query={"format": form}, **at)
    extra = ok("POST", f"{ENV}/tables", {"tableName": "old"}, headers=headers, **_of(world))
    gone_table = {**_of(world), "table": extra["id"]}
    ok("DELETE", TABLE, headers=headers, query={"confirm": "old"}, **gone_table)


def users(world: World) -> None:
    ok, headers = world.asking.ok, by_token(world.server.made["managementToken"])
    at, all_users = _of(world), f"{ENV}/users"
    eve = {"name": "Eve", "email": "eve@users.example"}
    id = ok("POST", all_users, eve, headers=headers, **at)["id"]
    world.ids["user"] = id
    ok("GET", all_users, headers=headers, query={"search": "eve"}, **at)
    one: dict[str, Any] = {**at, "id": id}
    ok("GET", USER, headers=headers, **one)
    ok("PATCH", USER, {"nickname": "evie", "status": "active"}, headers=headers, **one)
    ok("PATCH", f"{USER}/role", {"role": "editor"}, headers=headers, **one)
    for word in ("password-reset", "verify-email"):
        ok("POST", f"{USER}/{word}", headers=headers, **one)
    for view in ("accounts", "sessions", "events"):
        ok("GET", f"{USER}/{view}", headers=headers, **one)
    ok("DELETE", f"{USER}/sessions", headers=headers, **one)
    guest = sign_up_user(world.server.url, world.ids["key"])["user"]["id"]
    [session] = ok("GET", f"{USER}/sessions", headers=headers, **at, id=guest)["items"]
    his = {**at, "id": guest, "session_id": session["id"]}
    ok("DELETE", f"{USER}/sessions/{{session_id}}", headers=headers, **his)
    sign_in(world, headers)


def sign_in(world: World, headers: Headers) -> None:
    ok, at = world.asking.ok, _of(world)
    providers = f"{ENV}/auth/providers"
    ok("GET", providers, headers=headers, **at)
    ok("GET", f"{providers}/email", headers=headers, **at)
    policy = {"passwordPolicy": {"minLength": 8}, "requireEmailVerification": False}
    ok("PUT", f"{providers}/email", policy, headers=headers, **at)
    google, named = f"{providers}/oauth/{{provider}}", {**at, "provider": "google"}
    client = {"clientId": "an-app", "clientSecret": "s3cret"}
    ok("PUT", google, client, headers=headers, **named)
    ok("GET", google, headers=headers, **named)
    ok("GET", providers, headers=headers, **at)
    ok("DELETE", google, headers=headers, **named)
    ok("GET", f"{ENV}/auth/settings", headers=headers, **at)
    ok("PUT", f"{ENV}/auth/settings", {"allowSignup": True}, headers=headers, **at)


def mail(world: World) -> None:
    ok, headers = world.asking.ok, by_token(world.server.made["managementToken"])
    at, templates = _of(world), f"{ENV}/email-templates"
    ok("GET", f"{templates}/config", headers=headers, **at)
    config = {"senderName": "Shop", "brandColor": "#2563EB"}
    ok("PUT", f"{templates}/config", config, headers=headers, **at)
    ok("GET", templates, headers=headers, **at)
    one, this = f"{templates}/{{id}}", {**at, "id": "magic_link"}
    ok("GET", one, headers=headers, **this)
    text = {"subject": "Come in", "body": "<p>{{magicLink}}</p>"}
    ok("PUT", one, text, headers=headers, query={"locale": "en"}, **this)
    ok("POST", f"{one}/preview", headers=headers, **this)
    ok("POST", f"{one}/send-test", {"to": "eve@users.example"}, headers=headers, **this)
    ok("DELETE", one, headers=headers, **this)
    mails = ok("GET", f"{ENV}/outbox", headers=headers, **at)["items"]
    ok("GET", f"{ENV}/outbox/{{id}}", headers=headers, id=mails[0]["id"], **at)
    ok("DELETE", f"{ENV}/outbox", headers=headers, **at)


def files(world: World) -> None:
    ok, headers = world.asking.ok, by_token(world.server.made["managementToken"])
    at, kind = _of(world), "multipart/form-data"
    form = {"file": b"some text", "visibility": "public"}
    made = ok("POST", f"{ENV}/files", form, headers=headers, media_type=kind, **at)
    world.ids["file"] = made["id"]
    ok("GET", f"{ENV}/files", headers=headers, **at)
    ok("GET", f"{ENV}/files/stats", headers=headers, **at)
    one = {**at, "id": made["id"]}
    ok("GET", FILE, headers=headers, **one)
    ok("PATCH", FILE, {"originalName": "text.txt"}, headers=headers, **one)
    ok("POST", f"{FILE}/download-url", headers=headers, **one)


def system(world: World) -> None:
    ok, ada, at = world.asking.ok, world.log_in("ada@people.example"), f"{M}/system"
    for view in ("health", "info", "jobs", "logs", "usage", "settings"):
        ok("GET", f"{at}/{view}", headers=ada)
    ok("PUT", f"{at}/settings", {"trashDays": 3}, headers=ada)
    ok("POST", f"{at}/mail/test", {"to": "ada@people.example"}, headers=ada)
    accounts = ok("GET", f"{at}/accounts", headers=ada, query={"search": "carol"})["items"]
    one = {"id": accounts[0]["id"]}
    ok("GET", f"{at}/accounts/{{id}}", headers=ada, **one)
    ok("PATCH", f"{at}/accounts/{{id}}", {"status": "disabled"}, headers=ada, **one)
    ok("GET", f"{at}/organizations", headers=ada)
    org = {"org": world.ids["org"]}
    ok("GET", f"{at}/organizations/{{org}}", headers=ada, **org)
    ok("PATCH", f"{at}/organizations/{{org}}", {"status": "active"}, headers=ada, **org)


def ends(world: World) -> None:
    """What ends what the calls before were about."""
    ok, headers = world.asking.ok, by_token(world.server.made["managementToken"])
    at = _of(world)
    extra = {"name": "Fay", "email": "fay@users.example"}
    fay = ok("POST", f"{ENV}/users", extra, headers=headers, **at)["id"]
    confirm = {"confirm": extra["email"]}
    ok("DELETE", USER, headers=headers, query=confirm, id=fay, **at)
    form = {"file": b"gone"}
    kind = "multipart/form-data"
    gone = ok("POST", f"{ENV}/files", form, headers=headers, media_type=kind, **at)["id"]
    ok("DELETE", FILE, headers=headers, id=gone, **at)


def _of(world: World) -> dict[str, str]:
    return {"project": world.ids["project"], "env": world.ids["env"]}
