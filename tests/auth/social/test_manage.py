"""Providers and settings of sign-in over the management API (10 §13, 51 §3.9, §8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bkend.auth.social.collections import PROVIDERS
from tests.asgi import InProcess
from tests.http.manage.conftest import BASE, MakeTenant, Tenant, make_tenant, opened, tenant

__all__ = ["make_tenant", "opened", "tenant"]

AUTH = f"{BASE}/auth"
GOOGLE = f"{AUTH}/providers/oauth/google"
ROUTES: list[tuple[str, str, Any, str]] = [
    ("GET", f"{AUTH}/providers", None, "auth-config:read"),
    ("GET", f"{AUTH}/providers/email", None, "auth-config:read"),
    ("PUT", f"{AUTH}/providers/email", {}, "auth-config:update"),
    ("GET", GOOGLE, None, "auth-config:read"),
    ("PUT", GOOGLE, {"enabled": False}, "auth-config:update"),
    ("DELETE", GOOGLE, None, "auth-config:update"),
    ("GET", f"{AUTH}/settings", None, "auth-config:read"),
    ("PUT", f"{AUTH}/settings", {}, "auth-config:update"),
]
CLIENT = {"clientId": "id.apps.example", "clientSecret": "GOCSPX-secret"}


async def test_without_a_good_token_nothing_is_answered(opened: InProcess) -> None:
    for token in (None, opened.made.publishable_key, opened.made.secret_key, "bt_" + "0" * 64):
        for method, path, _, _ in ROUTES:
            found = await Tenant(opened, token).refused(method, path, b"{not json")
            assert found == (401, "auth/unauthorized"), (token, method, path)


@pytest.mark.parametrize("role", ["owner", "admin", "member", "billing"])
async def test_what_each_role_may_do(make_tenant: MakeTenant, role: str) -> None:
    tenant = await make_tenant(role=role)
    for method, path, body, right in ROUTES:
        answer = await tenant.call(method, path, body)
        allowed = role in ("owner", "admin") or (role == "member" and right == "auth-config:read")
        assert (answer.status != 403) == allowed, (role, method, path)


async def test_scopes_bound_the_role(make_tenant: MakeTenant) -> None:
    for scopes, rights in (
        (["auth-config:read"], {"auth-config:read"}),
        (["auth-config:*"], {"auth-config:read", "auth-config:update"}),
        (["*:read"], {"auth-config:read"}),
        (["table:*"], set()),
    ):
        tenant = await make_tenant(scopes=scopes)
        for method, path, body, right in ROUTES:
            answer = await tenant.call(method, path, body)
            assert (answer.status != 403) == (right in rights), (scopes, method, path)


async def test_a_fresh_environment_shows_what_could_be(tenant: Tenant) -> None:
    found = await tenant.ok("GET", f"{AUTH}/providers")
    assert [item["provider"] for item in found["items"]] == ["email", "google", "github"]
    assert found["pagination"]["total"] == 3
    email, google, github = found["items"]
    assert (email["enabled"], google["enabled"], github["enabled"]) == (True, False, False)
    assert google["scopes"] == ["openid", "email", "profile"]
    assert github["scopes"] == ["user:email"]
    assert google["hasClientSecret"] is False
    assert google["callbackUrl"].endswith("/v1/auth/google/callback")
    assert google["redirectUri"] == google["callbackUrl"]
    assert (google["issuer"], github["baseUrl"]) == (
        "https://accounts.google.com",
        "https://github.com",
    )


async def test_a_secret_goes_in_and_never_comes_out(opened: InProcess, tenant: Tenant) -> None:
    made = await tenant.ok("PUT", GOOGLE, CLIENT)
    assert (made["enabled"], made["clientId"]) == (True, CLIENT["clientId"])
    assert made["hasClientSecret"] is True
    answers = [
        await tenant.call("GET", GOOGLE),
        await tenant.call("GET", f"{AUTH}/providers"),
        await tenant.call("PUT", GOOGLE, {"scopes": ["openid", "email"]}),
    ]
    assert not any(b"GOCSPX" in a.body or b"clientSecret" in a.body for a in answers)
    services = await opened.core.environment("app", "dev")
    found = await services.social.providers.usable("google")
    assert found.scopes == ("openid", "email")
    assert services.social.providers.secret(found) == CLIENT["clientSecret"], "it was kept"
    document = await opened.core.hierarchy.environment("app", "dev")
    store = await opened.core.database.environment(document["id"])
    assert b"GOCSPX" not in (await store.get(PROVIDERS, "google") or b"")


async def test_any_openid_provider_goes_by_a_name_of_its_own(tenant: Tenant) -> None:
    path = f"{AUTH}/providers/oauth/acme-1"
    assert await tenant.refused("GET", path) == (400, "auth/unsupported-provider")
    made = await tenant.ok("PUT", path, {**CLIENT, "issuer": "https://id.acme.example/"})
    assert (made["type"], made["issuer"]) == ("openid", "https://id.acme.example")
    listed = await tenant.ok("GET", f"{AUTH}/providers")
    assert [item["provider"] for item in listed["items"]][3:] == ["acme-1"]
    assert await tenant.ok("DELETE", path) == {"deleted": True, "id": "acme-1"}
    assert await tenant.refused("GET", path) == (400, "auth/unsupported-provider")
    assert await tenant.refused("DELETE", path) == (400, "auth/unsupported-provider")
    assert await tenant.refused("DELETE", GOOGLE) == (400, "auth/oauth-not-configured")


async def test_names_that_mean_something_else_are_refused(tenant: Tenant) -> None:
    body = {**CLIENT, "issuer": "https://id.acme.example"}
    for name in ["email", "mfa", "me", "Acme", "a", "1a", "a_b", "a" * 33, "é1"]:
        found = await tenant.refused("PUT", f"{AUTH}/providers/oauth/{name}", body)
        assert found == (400, "auth/unsupported-provider"), name


MALFORMED: list[tuple[Any, str]] = [
    ({"clientId": 7}, "clientId"),
    ({"clientId": ""}, "clientId"),
    ({"clientId": "a\nb"}, "clientId"),
    ({"clientSecret": ["x"]}, "clientSecret"),
    ({"enabled": "yes"}, "enabled"),
    ({"scopes": "openid"}, "scopes"),
    ({"scopes": ["email"]}, "scopes"),
    ({"scopes": ["openid", "a b"]}, "scopes"),
    ({"additionalClientIds": [1]}, "additionalClientIds"),
    ({"redirectUri": "/callback"}, "redirectUri"),
    ({"redirectUri": "https://x.example/#f"}, "redirectUri"),
    ({"issuer": "http://id.acme.example"}, "issuer"),
    ({"issuer": "https://u:p@id.acme.example"}, "issuer"),
    ({"issuer": "file:///etc/passwd"}, "issuer"),
    ({"issuer": "https://id.acme.example?x=1"}, "issuer"),
    ({"baseUrl": "https://github.example"}, "baseUrl"),
    ({"client_id": "x"}, "client_id"),
    ([], "body"),
]


async def test_a_malformed_field_is_named(tenant: Tenant) -> None:
    for body, field in MALFORMED:
        sent = CLIENT | body if isinstance(body, dict) else body
        answer = await tenant.call("PUT", GOOGLE, sent)
        assert (answer.status, answer.json()["code"]) == (400, "common/invalid-parameters"), body
        assert [d["field"] for d in answer.json()["error"]["details"]] == [field]
    assert (await tenant.ok("GET", GOOGLE))["clientId"] is None


async def test_only_a_complete_provider_is_switched_on(tenant: Tenant) -> None:
    for body in ({}, {"clientId": "x"}, {"clientSecret": "x"}):
        assert await tenant.refused("PUT", GOOGLE, body) == (400, "auth/oauth-not-configured")
    draft = await tenant.ok("PUT", GOOGLE, {"clientId": "x", "enabled": False})
    assert (draft["enabled"], draft["hasClientSecret"]) == (False, False)
    switched = await tenant.ok("PUT", GOOGLE, {"clientSecret": "x", "enabled": True})
    assert switched["enabled"] is True
    found = await tenant.refused("PUT", f"{AUTH}/providers/oauth/acme", CLIENT)
    assert found == (400, "common/invalid-parameters")


async def test_what_a_read_shows_may_be_sent_back(opened: InProcess, tenant: Tenant) -> None:
    await tenant.ok("PUT", GOOGLE, CLIENT)
    shown = await tenant.ok("GET", GOOGLE)
    assert await tenant.ok("PUT", GOOGLE, shown) == shown
    services = await opened.core.environment("app", "dev")
    assert (await services.social.providers.find("google")).redirect_uri is None


async def test_changes_at_the_same_moment_are_all_kept(tenant: Tenant) -> None:
    await tenant.ok("PUT", GOOGLE, CLIENT)
    await asyncio.gather(
        tenant.ok("PUT", GOOGLE, {"scopes": ["openid", "email"]}),
        tenant.ok("PUT", GOOGLE, {"additionalClientIds": ["android"]}),
        tenant.ok("PUT", GOOGLE, {"clientId": "new"}),
        tenant.ok("PUT", GOOGLE, {"enabled": False}),
    )
    found = await tenant.ok("GET", GOOGLE)
    assert (found["clientId"], found["enabled"]) == ("new", False)
    assert (found["scopes"], found["additionalClientIds"]) == (["openid", "email"], ["android"])


# -- e-mail and settings --------------------------------------------------------------------


async def test_the_email_provider_is_the_settings_of_email(
    opened: InProcess, tenant: Tenant
) -> None:
    path = f"{AUTH}/providers/email"
    assert await tenant.ok("GET", path) == {
        "provider": "email",
        "enabled": True,
        "passwordPolicy": {
            "minLength": 8,
            "maxLength": 128,
            "requireUppercase": False,
            "requireLowercase": False,
            "requireNumbers": False,
            "requireSpecialChars": False,
            "expirationDays": None,
            "breachCheck": "off",
        },
        "magicLinkEnabled": True,
        "magicLinkExpirationMinutes": 15,
        "requireEmailVerification": False,
        "sendVerificationOnSignup": False,
    }
    policy = {"minLength": 10, "requireNumbers": True}
    changed = await tenant.ok("PUT", path, {"magicLinkEnabled": False, "passwordPolicy": policy})
    assert changed["magicLinkEnabled"] is False
    assert (changed["passwordPolicy"]["minLength"], changed["enabled"]) == (10, True)
    assert await tenant.ok("PUT", path, changed) == changed
    services = await opened.core.environment("app", "dev")
    assert (await services.auth.settings.current()).password_policy.min_length == 10
    assert (await tenant.ok("PUT", path, {"passwordPolicy": None}))["passwordPolicy"][
        "minLength"
    ] == 8


async def test_the_settings_go_by_their_flat_names_or_in_sections(tenant: Tenant) -> None:
    path = f"{AUTH}/settings"
    found = await tenant.ok("GET", path)
    assert found["accessTokenTtlSeconds"] == 3600
    assert found["rateLimits.enabled"] is True
    assert "passwordPolicy.minLength" not in found
    assert await tenant.ok("PUT", path, found) == found
    changed = await tenant.ok(
        "PUT", path, {"rateLimits": {"enabled": False}, "mfaAvailable": False}
    )
    assert (changed["rateLimits.enabled"], changed["mfaAvailable"]) == (False, False)
    changed = await tenant.ok("PUT", path, {"rateLimits.enabled": None})
    assert (changed["rateLimits.enabled"], changed["mfaAvailable"]) == (True, False)
    urls = ["https://app.example/", "myapp://"]
    assert (await tenant.ok("PUT", path, {"allowedRedirectUrls": urls}))[
        "allowedRedirectUrls"
    ] == urls


NOT_ALLOWED: list[tuple[str, Any, str]] = [
    ("settings", {"accessTokenTtl": 60}, "accessTokenTtl"),
    ("settings", {"accessTokenTtlSeconds": 0}, "accessTokenTtlSeconds"),
    ("settings", {"accessTokenTtlSeconds": "60"}, "accessTokenTtlSeconds"),
    ("settings", {"passwordPolicy.minLength": 6}, "passwordPolicy.minLength"),
    ("settings", {"rateLimits": {"off": True}}, "rateLimits.off"),
    ("settings", {"userListing": "none"}, "userListing"),
    ("settings", {"allowedRedirectUrls": ["javascript:alert(1)"]}, "allowedRedirectUrls"),
    ("settings", [], "body"),
    ("providers/email", {"allowSignup": False}, "allowSignup"),
    ("providers/email", {"passwordPolicy": 8}, "passwordPolicy"),
    ("providers/email", {"passwordPolicy": {"min": 8}}, "passwordPolicy.min"),
    ("providers/email", {"passwordPolicy": {"minLength": 5}}, "passwordPolicy.minLength"),
    ("providers/email", {"magicLinkExpirationMinutes": 1441}, "magicLinkExpirationMinutes"),
    ("providers/email", {"enabled": 1}, "enabled"),
]


async def test_a_setting_that_is_not_allowed_is_named_and_changes_nothing(tenant: Tenant) -> None:
    for path, body, field in NOT_ALLOWED:
        before = await tenant.ok("GET", f"{AUTH}/{path}")
        sent = {"mfaAvailable": False, **body} if path == "settings" and body else body
        answer = await tenant.call("PUT", f"{AUTH}/{path}", sent)
        assert (answer.status, answer.json()["code"]) == (400, "common/invalid-parameters"), body
        assert [d["field"] for d in answer.json()["error"]["details"]] == [field]
        assert await tenant.ok("GET", f"{AUTH}/{path}") == before


async def test_the_openapi_document_describes_these_calls(tenant: Tenant) -> None:
    document = await tenant.ok("GET", "/manage/v1/openapi.json")
    route = "/manage/v1/projects/{project}/environments/{env}/auth/providers/oauth/{provider}"
    assert document["paths"][route].keys() == {"get", "put", "delete"}
    body = document["paths"][route]["put"]["requestBody"]["content"]["application/json"]
    described = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    assert "clientSecret" in described["properties"]
    answer = document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]
    shown = answer["schema"]["$ref"].rpartition("/")[2]
    assert "clientSecret" not in document["components"]["schemas"][shown]["properties"]
