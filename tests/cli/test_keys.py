"""`bkend keys`: make, list, revoke (51 §3.7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import CommandLine

ACCESS_TOKEN = {
    "id",
    "organizationId",
    "name",
    "type",
    "projectId",
    "environment",
    "scopes",
    "expiresAt",
    "revokedAt",
    "lastUsedAt",
    "createdBy",
    "createdByName",
    "key",
    "maskedKey",
    "isDefault",
    "status",
}


@pytest.fixture
def made(bkend: CommandLine) -> Any:
    return bkend("init", "--json").json


def create(bkend: CommandLine, *options: str, kind: str = "secret") -> Any:
    place = ("--project", "app", "--env", "dev")
    return bkend("keys", "create", *place, "--type", kind, "--name", "K", "--json", *options).json


@pytest.mark.parametrize(("kind", "prefix"), [("publishable", "pk_"), ("secret", "sk_")])
def test_create_prints_the_access_token_with_its_key(
    bkend: CommandLine, made: Any, kind: str, prefix: str
) -> None:
    key = create(bkend, kind=kind)
    assert key.keys() >= ACCESS_TOKEN
    assert not key.keys() & {"hash", "value", "environmentId"}
    assert key["key"].startswith(prefix)
    assert len(key["key"]) == 67
    assert (key["name"], key["type"], key["scopes"], key["status"]) == ("K", kind, [], "active")
    assert (key["projectId"], key["environment"]) == (made["projectId"], "dev")


def test_scopes_may_be_repeated(bkend: CommandLine, made: Any) -> None:
    key = create(bkend, "--scope", "posts:read", "--scope", "*:list")
    assert key["scopes"] == ["posts:read", "*:list"]


@pytest.mark.parametrize("scope", ["posts", "posts:all", ":read", "posts:read:x", "1a:read", ""])
def test_malformed_scopes_are_refused(bkend: CommandLine, made: Any, scope: str) -> None:
    message = bkend.refused(
        "keys", "create", "--type", "secret", "--name", "x", "--scope", scope, "--json"
    )
    assert message.startswith(f"{scope!r} is not a scope; write TABLE:OPERATION")


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_malformed_names_are_refused(bkend: CommandLine, made: Any, name: str) -> None:
    message = bkend.refused("keys", "create", "--type", "secret", "--name", name)
    assert message == "name has 1 to 100 characters"


def test_list_masks_secrets_and_shows_publishable_keys(bkend: CommandLine, made: Any) -> None:
    secret = create(bkend)
    items = bkend("keys", "list", "--json").json["items"]
    assert [item["type"] for item in items] == ["secret", "secret", "publishable"]
    assert items[0]["id"] == secret["id"]
    assert "key" not in items[0]
    assert items[0]["maskedKey"] == f"{secret['key'][:7]}****...{secret['key'][-4:]}"
    assert items[2]["key"] == made["publishableKey"]
    text = bkend("keys", "list").stdout
    assert secret["key"] not in text
    assert made["publishableKey"] in text
    for part in (secret["id"], secret["maskedKey"], "app/dev", "active", "K"):
        assert part in text


def test_list_may_be_restricted_to_an_environment(bkend: CommandLine, made: Any) -> None:
    bkend("init", "--env", "prod")
    found = bkend("keys", "list", "--project", "app", "--env", "prod", "--json").json["items"]
    assert {item["environment"] for item in found} == {"prod"}
    assert len(bkend("keys", "list", "--json").json["items"]) == 4
    message = bkend.refused("keys", "list", "--env", "nope")
    assert message == "project 'app' has no environment 'nope'; known: dev, prod"


def test_a_revoked_key_stays_listed(bkend: CommandLine, made: Any) -> None:
    key = create(bkend)
    revoked = bkend("keys", "revoke", key["id"], "--json").json
    assert (revoked["id"], revoked["status"]) == (key["id"], "revoked")
    items = bkend("keys", "list", "--json").json["items"]
    assert items[0]["status"] == "revoked"
    assert "Revoked K (sk_" in bkend("keys", "revoke", key["id"]).stdout


def test_an_unknown_key_cannot_be_revoked(bkend: CommandLine, made: Any) -> None:
    assert bkend.refused("keys", "revoke", "tok_x") == "there is no key 'tok_x'"


def test_people_are_told_that_a_secret_is_shown_only_now(bkend: CommandLine, made: Any) -> None:
    options = ("--name", "x", "--scope", "posts:read")
    text = bkend("keys", "create", "--type", "secret", *options).stdout
    assert text.startswith("sk_")
    assert "posts:read" in text
    assert "shown only now" in text
    text = bkend("keys", "create", "--type", "publishable", *options).stdout
    assert "shown only now" not in text


def test_project_and_environment_may_be_left_out_when_there_is_only_one(
    bkend: CommandLine, made: Any
) -> None:
    create_one = ("keys", "create", "--type", "secret", "--name", "x")
    bkend(*create_one)
    bkend("init", "--env", "prod")
    assert bkend.refused(*create_one) == "there are several; name one environment; known: dev, prod"
    bkend(*create_one, "--env", "prod")
    bkend("init", "--project", "shop")
    assert bkend.refused(*create_one) == "there are several; name one project; known: app, shop"
    assert bkend.refused(*create_one, "--project", "x") == (
        "there is no project 'x'; known: app, shop"
    )
    bkend(*create_one, "--project", "shop")


def test_wrong_type_is_wrong_usage(bkend: CommandLine, made: Any) -> None:
    found = bkend("keys", "create", "--type", "bearer", "--name", "x", code=2)
    assert "--type" in found.stderr
