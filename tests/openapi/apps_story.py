"""Every fixed call below `/v1`, once, so that it succeeds."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pyotp
import requests

from tests.auth.social.conftest import CALLBACK, CLIENT, REDIRECT, OidcProvider
from tests.openapi.world import PASSWORD, Headers, World, by_token, fresh, sign_up_user, token_in

AUTH = "/v1/auth"
USERS = "/v1/users"
USER = f"{USERS}/{{user_id}}"
FILES = "/v1/files"
FILE = f"{FILES}/{{file_id}}"
_SETTINGS = {"rateLimits.enabled": False, "allowSignup": True}
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def tell(world: World, oidc: OidcProvider) -> None:
    """All of it, in an order in which it makes sense."""
    configure(world, oidc)
    world.ids["admin"] = admin(world)
    signing_in(world)
    links(world)
    invitations(world)
    second_factor(world)
    providers(world, oidc)
    users(world)
    files(world)
    multipart(world)


def configure(world: World, oidc: OidcProvider) -> None:
    """Nothing is counted, and there is a provider to sign in with."""
    inside = f"{world.server.url}/manage/v1/projects/app/environments/dev/auth"
    headers = by_token(world.server.made["managementToken"])
    body = {**CLIENT, "issuer": oidc.url}
    for path, wanted in (("settings", _SETTINGS), ("providers/oauth/acme", body)):
        answer = requests.put(f"{inside}/{path}", json=wanted, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text


def admin(world: World) -> str:
    """The token of a user who is an admin."""
    made = sign_up_user(world.server.url, world.server.key, "admin")
    url = f"{world.server.url}{USERS}/{made['user']['id']}/role"
    role, headers = {"role": "admin"}, {"X-API-Key": world.server.secret}
    assert requests.patch(url, json=role, headers=headers, timeout=30).status_code == 200
    return str(made["accessToken"])


def keyed(world: World) -> Headers:
    """The publishable key alone."""
    return {"X-API-Key": world.server.key}


def secret(world: World) -> Headers:
    """The secret key alone, which stands for an admin."""
    return {"X-API-Key": world.server.secret}


def as_user(world: World, token: str) -> Headers:
    """A user with the publishable key."""
    return {"X-API-Key": world.server.key, "Authorization": f"Bearer {token}"}


def new_user(world: World, name: str = "user") -> dict[str, Any]:
    """Somebody who has just signed up."""
    return sign_up_user(world.server.url, world.server.key, name)


def signing_in(world: World) -> None:
    ok, key = world.asking.ok, keyed(world)
    ada = {"email": f"{fresh('ada')}@users.example", "password": PASSWORD}
    ok("POST", f"{AUTH}/email/signup", {**ada, "name": "Ada"}, headers=key)
    first = ok("POST", f"{AUTH}/email/signin", ada, headers=key)
    renewed = ok("POST", f"{AUTH}/refresh", {"refreshToken": first["refreshToken"]}, headers=key)
    me = as_user(world, renewed["accessToken"])
    ok("GET", f"{AUTH}/me", headers=me)
    sessions = ok("GET", f"{AUTH}/sessions", headers=me)["items"]
    other = next(one["id"] for one in sessions if not one["current"])
    ok("DELETE", f"{AUTH}/sessions/{{session_id}}", headers=me, session_id=other)
    change = {"currentPassword": PASSWORD, "newPassword": PASSWORD + "!"}
    ok("POST", f"{AUTH}/password/change", change, headers=me)
    ok("POST", f"{AUTH}/signout", headers=as_user(world, new_user(world)["accessToken"]))
    ok("DELETE", f"{AUTH}/withdraw", headers=as_user(world, new_user(world)["accessToken"]))


def links(world: World) -> None:
    ok, key = world.asking.ok, keyed(world)
    ben = new_user(world, "ben")
    address = {"email": ben["user"]["email"]}
    link = {"method": "magiclink", **address, "callbackUrl": REDIRECT}
    ok("POST", f"{AUTH}/email/signin", link, headers=key)
    token = token_in(world.app_mails()[0])
    ok("POST", f"{AUTH}/email/callback", {"token": token}, headers=key)
    cem = new_user(world, "cem")["user"]["email"]
    for word in ("signup/email/resend", "email/verify/send", "email/verify/resend"):
        ok("POST", f"{AUTH}/{word}", {"email": cem}, headers=key)
    verified = {"email": cem, "token": token_in(world.app_mails()[0])}
    ok("POST", f"{AUTH}/email/verify/confirm", verified, headers=key)
    dee = new_user(world, "dee")["user"]["email"]
    ok("POST", f"{AUTH}/email/verify/send", {"email": dee}, headers=key)
    query = {"email": dee, "token": token_in(world.app_mails()[0])}
    ok("GET", f"{AUTH}/signup/email/confirm", headers={}, query=query)
    ok("POST", f"{AUTH}/password/reset/request", {"email": cem}, headers=key)
    reset = {"email": cem, "token": token_in(world.app_mails()[0]), "newPassword": PASSWORD + "!"}
    ok("POST", f"{AUTH}/password/reset/confirm", reset, headers=key)


def invitations(world: World) -> None:
    ok, headers, all_of_them = world.asking.ok, secret(world), f"{AUTH}/invitations"
    eve = new_user(world, "eve")
    club = {
        "resourceType": "organization",
        "resourceId": "club",
        "resourceName": "The club",
        "resourceRole": "member",
        "email": eve["user"]["email"],
        "name": "Eve",
    }
    made = ok("POST", all_of_them, club, headers=headers)
    accepted = {"token": token_in(world.app_mails()[0]), "email": club["email"]}
    ok("GET", all_of_them, headers=headers, query={"status": "pending"})
    one = f"{all_of_them}/{{invitation_id}}"
    ok("GET", one, headers=headers, invitation_id=made["id"])
    ok("POST", f"{all_of_them}/accept", accepted, headers=headers)
    member = as_user(world, eve["accessToken"])
    ok("POST", f"{AUTH}/switch-organization", {"organizationId": "club"}, headers=member)
    ok("POST", all_of_them, {**club, "resourceId": "other"}, headers=headers)
    rejected = {"token": token_in(world.app_mails()[0]), "email": club["email"]}
    ok("POST", f"{all_of_them}/reject", rejected, headers=headers)
    last = ok("POST", all_of_them, {**club, "resourceId": "third"}, headers=headers)
    ok("DELETE", one, headers=headers, invitation_id=last["id"])


def second_factor(world: World) -> None:
    ok, me = world.asking.ok, as_user(world, new_user(world, "fay")["accessToken"])
    begun = ok("POST", f"{AUTH}/mfa/enable", {"password": PASSWORD}, headers=me)
    code = pyotp.TOTP(begun["secret"]).now()
    codes = ok("POST", f"{AUTH}/mfa/confirm", {"code": code}, headers=me)["backupCodes"]
    off = {"password": PASSWORD, "code": codes[0]}
    ok("POST", f"{AUTH}/mfa/disable", off, headers=me)


def providers(world: World, oidc: OidcProvider) -> None:
    ok, key, acme = world.asking.ok, keyed(world), {"provider": "acme"}
    for name in ("gus", "hal", "ida"):
        oidc.user(name)
    grant = {"code": oidc.code("gus"), "redirectUri": CALLBACK}
    ok("POST", f"{AUTH}/{{provider}}/callback", grant, headers=key, **acme)
    query = {"redirect": REDIRECT}
    to = ok("GET", f"{AUTH}/{{provider}}/authorize", headers=key, query=query, **acme)
    back = dict(
        part.split("=", 1)
        for part in urlsplit(oidc.log_in(to["authorizationUrl"], "hal")).query.split("&")
    )
    ok("GET", f"{AUTH}/{{provider}}/callback", headers={}, query=back, **acme)
    me = new_user(world, "ida")
    mine = as_user(world, me["accessToken"])
    linked = {"provider": "acme", "code": oidc.code("ida"), "redirectUri": CALLBACK}
    ok("POST", f"{AUTH}/accounts", linked, headers=mine)
    ok("GET", f"{AUTH}/accounts", headers=mine)
    question = {
        "type": "credentials",
        "provider": "email",
        "providerAccountId": me["user"]["email"],
    }
    ok("POST", f"{AUTH}/accounts/check", question, headers=key)
    ok("DELETE", f"{AUTH}/accounts/{{provider}}", headers=mine, **acme)


def users(world: World) -> None:
    ok, headers = world.asking.ok, secret(world)
    new = {"name": "Jan", "email": f"{fresh('jan')}@users.example"}
    id = ok("POST", USERS, new, headers=headers)["id"]
    at = {"user_id": id}
    world.ids["user_id"] = id
    ok("GET", USERS, headers=headers, query={"includeAccounts": "true"})
    ok("GET", USERS, headers=as_user(world, world.ids["admin"]))
    ok("GET", USER, headers=headers, **at)
    ok("PATCH", USER, {"name": "Jan J"}, headers=headers, **at)
    ok("PATCH", f"{USER}/role", {"role": "user"}, headers=headers, **at)
    changes: dict[str, dict[str, Any]] = {
        "profile": {"bio": "Hello", "socialLinks": {"github": "https://github.com/jan"}},
        "preferences": {"locale": "en-GB", "timezone": "UTC", "theme": "dark"},
        "notifications": {"marketing": True},
        "onboarding": {"status": "completed", "completedSteps": ["one"]},
        "public-settings": {"isPublic": True, "slug": fresh("jan")},
    }
    for word, change in changes.items():
        ok("PATCH", f"{USER}/{word}", change, headers=headers, **at)
        ok("GET", f"{USER}/{word}", headers=headers, **at)
    other = as_user(world, new_user(world)["accessToken"])
    ok("GET", USER, headers=other, **at)
    ok("GET", f"{USER}/profile", headers=other, **at)
    avatar = {"filename": "me.png", "contentType": "image/png"}
    upload = ok("POST", f"{USER}/avatar/upload-url", avatar, headers=headers, **at)
    put(upload["url"], _PIXEL, "image/png")
    ok("PATCH", f"{USER}/avatar", {"s3Key": upload["key"]}, headers=headers, **at)
    ok("DELETE", f"{USER}/avatar", headers=headers, **at)
    gone = new_user(world)["user"]["id"]
    ok("DELETE", USER, headers=headers, user_id=gone)


def put(url: str, body: bytes, content_type: str) -> requests.Response:
    """Send bytes to a signed address."""
    answer = requests.put(url, body, headers={"Content-Type": content_type}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def files(world: World) -> None:
    ok, me = world.asking.ok, as_user(world, new_user(world)["accessToken"])
    text = {"filename": "a.txt", "contentType": "text/plain", "fileSize": 5}
    upload = ok("POST", f"{FILES}/presigned-url", text, headers=me)
    put(upload["url"], b"bytes", "text/plain")
    registered = {
        "s3Key": upload["key"],
        "originalName": "a.txt",
        "mimeType": "text/plain",
        "size": 5,
    }
    made = ok("POST", FILES, registered, headers=me)
    at = {"file_id": made["id"]}
    world.ids["file_id"] = made["id"]
    ok("GET", FILES, headers=me)
    ok("GET", f"{FILES}/buckets", headers=me)
    ok("GET", FILE, headers=me, **at)
    ok("PATCH", FILE, {"metadata": {"tags": ["a"]}}, headers=me, **at)
    ok("PATCH", f"{FILE}/visibility", {"visibility": "public"}, headers=me, **at)
    for method in ("GET", "POST"):
        ok(method, f"{FILE}/download-url", headers=me, **at)
    ok("GET", f"{FILE}/download", headers=me, **at)
    other = as_user(world, new_user(world)["accessToken"])
    ok("GET", FILE, headers=other, **at)
    announced = ok("POST", f"{FILES}/presigned-url", text, headers=me)
    put(announced["url"], b"bytes", "text/plain")
    ok("POST", f"{FILE}/complete", headers=me, file_id=announced["fileId"])
    form, kind = {"file": b"some text"}, "multipart/form-data"
    gone = ok("POST", f"{FILES}/upload", form, headers=me, media_type=kind)["id"]
    ok("DELETE", FILE, headers=me, file_id=gone)


def multipart(world: World) -> None:
    ok, me = world.asking.ok, as_user(world, new_user(world)["accessToken"])
    parts, wanted = f"{FILES}/multipart", {"filename": "b.bin", "contentType": "", "fileSize": 4}
    for begin in ("init", "initiate"):
        found = ok("POST", f"{parts}/{begin}", wanted, headers=me)
        held = {"key": found["key"], "uploadId": found["uploadId"]}
        part = ok("POST", f"{parts}/presigned-url", {**held, "partNumber": 1}, headers=me)
        etag = put(part["url"], b"part", "application/octet-stream").headers["etag"]
        listed = [{"partNumber": 1, "etag": etag}]
        if begin == "init":
            ok("POST", f"{parts}/complete", {**held, "parts": listed}, headers=me)
        else:
            at = {"upload_id": found["uploadId"]}
            ok("POST", f"{parts}/{{upload_id}}/part-url", {"partNumber": 2}, headers=me, **at)
            one = f"{parts}/{{upload_id}}"
            ok("POST", f"{one}/complete", {"parts": listed}, headers=me, **at)
    found = ok("POST", f"{parts}/init", wanted, headers=me)
    ok("POST", f"{parts}/abort", {"key": found["key"], "uploadId": found["uploadId"]}, headers=me)
    found = ok("POST", f"{parts}/init", wanted, headers=me)
    ok("POST", f"{parts}/{{upload_id}}/abort", headers=me, upload_id=found["uploadId"])
