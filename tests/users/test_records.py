"""Making and changing users (11 §2, §3)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bkend.auth.collections import ACCOUNTS, SESSIONS, USERS
from bkend.store import Equals, Update
from tests.users.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERATOR = {"$ne": None}


async def names(town: Town, who: str, **query: Any) -> list[str]:
    """The names of a list, in order."""
    return [item["name"] for item in (await town.ok(who, "GET", "", params=query))["items"]]


# -- making ---------------------------------------------------------------------------------


async def test_a_made_user_has_no_password_no_session_and_an_address_account(town: Town) -> None:
    before = await town.api.store.count(SESSIONS)
    body: dict[str, Any] = {
        "name": " New ",
        "email": " New@Example.com ",
        "password": "long enough",
    }
    body |= {"id": "mine", "emailVerified": "2020-01-01T00:00:00.000Z", "mfaEnabled": True}
    made = await town.ok("secret", "POST", "", body, status=201)
    assert (made["name"], made["email"], made["role"]) == ("New", "new@example.com", "user")
    assert made["id"] != "mine"
    assert made["emailVerified"] is None
    assert made["mfaEnabled"] is False
    assert await town.api.store.count(SESSIONS) == before
    assert await town.api.store.count(ACCOUNTS, Equals(("userId",), made["id"])) == 1
    sign_in = {"email": "new@example.com", "password": "long enough"}
    assert await town.refused("anonymous", "POST", "/v1/auth/email/signin", sign_in) == (
        401,
        "auth/invalid-credentials",
    )
    assert await town.ok("secret", "GET", made["id"]) == made


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": ""}, (400, "user/invalid-name")),
        ({"name": "   "}, (400, "user/invalid-name")),
        ({"name": "x" * 101}, (400, "user/invalid-name")),
        ({"name": None}, (400, "user/invalid-name")),
        ({"name": 7}, (400, "user/invalid-name")),
        ({"name": OPERATOR}, (400, "user/invalid-name")),
        ({"name": "a\x00b"}, (400, "user/invalid-name")),
        ({"email": "none"}, (400, "auth/invalid-email")),
        ({"email": None}, (400, "auth/invalid-email")),
        ({"email": OPERATOR}, (400, "auth/invalid-email")),
        ({"role": "root"}, (400, "user/invalid-role")),
        ({"role": None}, (400, "user/invalid-role")),
        ({"role": ["admin"]}, (400, "user/invalid-role")),
        ({"email": " ADA@example.com"}, (409, "auth/email-already-exists")),
    ],
    ids=str,
)
async def test_a_user_that_cannot_be_made(
    town: Town, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    body = {"name": "New", "email": "new@example.com", **change}
    assert await town.refused("secret", "POST", "", body) == expected
    assert await town.api.store.count(USERS) == 4


async def test_name_and_address_are_needed(town: Town) -> None:
    assert await town.refused("secret", "POST", "", {"email": "n@example.com"}) == (
        400,
        "user/invalid-name",
    )
    assert await town.refused("secret", "POST", "", {"name": "N"}) == (400, "auth/invalid-email")


async def test_one_address_is_made_once(town: Town) -> None:
    body = {"name": "New", "email": "new@example.com"}
    answers = await asyncio.gather(*(town.call("secret", "POST", "", body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]


# -- roles ----------------------------------------------------------------------------------


async def test_roles_are_the_built_in_ones_and_the_projects_own(town: Town) -> None:
    ada = town.ids["ada"]
    core = town.api.served.core
    for role in ("admin", "guest", "user"):
        assert (await town.ok("secret", "PATCH", f"{ada}/role", {"role": role}))["role"] == role
    refusal = (400, "user/invalid-role")
    for bad in ("editor", "Admin", "", " user", None, 7, OPERATOR, ["admin"]):
        assert await town.refused("secret", "PATCH", f"{ada}/role", {"role": bad}) == refusal
    assert await town.refused("secret", "PATCH", f"{ada}/role", {}) == refusal
    place = await core.hierarchy.place("app", town.api.environment)
    await core.projects.update({"id": place.project_id}, {"settings": {"customRoles": ["editor"]}})
    try:
        found = await town.ok("eve", "PATCH", f"{ada}/role", {"role": "editor"})
        assert found["role"] == "editor"
        body = {"name": "E", "email": "e@example.com", "role": "editor"}
        assert (await town.ok("eve", "POST", "", body, status=201))["role"] == "editor"
    finally:
        await core.projects.update({"id": place.project_id}, {"settings": {"customRoles": None}})


async def test_nobody_promotes_themselves(town: Town) -> None:
    found = await town.refused("ada", "PATCH", f"{town.ids['ada']}/role", {"role": "admin"})
    assert found == (403, "user/forbidden")
    assert (await town.stored("ada"))["role"] == "user"


# -- changing -------------------------------------------------------------------------------

FORBIDDEN = {
    "role": "admin",
    "email": "mine@example.com",
    "id": "mine",
    "emailVerified": "2020-01-01T00:00:00.000Z",
    "mfaEnabled": True,
    "createdAt": "2020-01-01T00:00:00.000Z",
    "updatedAt": "2020-01-01T00:00:00.000Z",
    "passwordHash": "x",
    "emailKey": "mine@example.com",
    "avatarKey": "avatars/x",
    "deletedAt": "2020-01-01T00:00:00.000Z",
    "createdBy": "x",
    "$set": {"role": "admin"},
    "__proto__": {"role": "admin"},
}


PATCHED = ("", "profile", "preferences", "notifications", "onboarding", "public-settings")


@pytest.mark.parametrize("part", PATCHED)
@pytest.mark.parametrize("body", [{}, FORBIDDEN], ids=["nothing", "fields of the server"])
async def test_what_may_not_be_set_changes_nothing(
    town: Town, part: str, body: dict[str, Any]
) -> None:
    ada = town.ids["ada"]
    before = await town.api.store.get(USERS, ada)
    sent = dict(body)
    if part == "notifications":
        sent.pop("email", None)  # there it is a switch
    town.api.clock.advance(5)
    for who in ("ada", "secret"):
        await town.ok(who, "PATCH", f"{ada}/{part}", sent)
        assert await town.api.store.get(USERS, ada) == before


async def test_a_change_moves_updated_at(town: Town) -> None:
    before = await town.stored("ada")
    town.api.clock.advance(5)
    after = await town.ok("ada", "PATCH", town.ids["ada"], {"name": "Ada L."})
    assert after["updatedAt"] > before["updatedAt"]
    assert {**after, "updatedAt": 0, "name": 0} == {**before, "updatedAt": 0, "name": 0}


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, None, 7, OPERATOR, ["x"], "a\nb"])
async def test_a_bad_name_is_refused(town: Town, name: Any) -> None:
    for part in ("", "/profile"):
        path = town.ids["ada"] + part
        assert await town.refused("ada", "PATCH", path, {"name": name}) == (
            400,
            "user/invalid-name",
        )
    assert (await town.stored("ada"))["name"] == "ada"


PROFILE: dict[str, Any] = {
    "name": "Ada Lovelace",
    "nickname": "Countess",
    "mobile": "+4915112345678",
    "gender": "etc",
    "bio": "First\nprogrammer 🎉",
    "socialLinks": {"github": "https://github.com/ada"},
    "image": "https://pictures.example.com/ada.png?size=2",
}


async def test_a_profile_is_shown_at_once_everywhere(town: Town) -> None:
    changed = await town.ok("ada", "PATCH", f"{town.ids['ada']}/profile", PROFILE)
    assert {name: changed[name] for name in PROFILE} == PROFILE
    me = await town.ok("ada", "GET", "/v1/auth/me")
    assert (me["name"], me["image"]) == (PROFILE["name"], PROFILE["image"])
    assert await town.ok("ada", "GET", f"{town.ids['ada']}/profile") == changed


async def test_null_clears_each_field_but_the_name(town: Town) -> None:
    path = f"{town.ids['ada']}/profile"
    await town.ok("ada", "PATCH", path, PROFILE)
    nothing = dict.fromkeys(PROFILE.keys() - {"name"})
    cleared = await town.ok("ada", "PATCH", path, nothing)
    assert {name: cleared[name] for name in nothing} == nothing
    assert cleared["name"] == PROFILE["name"]


async def test_social_links_are_merged_per_key(town: Town) -> None:
    path = f"{town.ids['ada']}/profile"

    async def links(value: Any) -> Any:
        return (await town.ok("ada", "PATCH", path, {"socialLinks": value}))["socialLinks"]

    assert await links({"github": "https://g.example"}) == {"github": "https://g.example"}
    both = {"github": "https://g.example", "twitter": "https://t.example"}
    assert await links({"twitter": "https://t.example", "other": 7}) == both
    assert await links({}) == both
    assert await links({"github": None}) == {"twitter": "https://t.example"}
    assert await links({"twitter": None}) is None
    assert await links({"linkedin": None}) is None


BAD_PROFILES: list[Any] = [
    {"mobile": "0151"},
    {"mobile": "+0151"},
    {"mobile": "+1"},
    {"mobile": "+1234567890123456"},
    {"mobile": "+٤٩١٥١"},
    {"mobile": "+4915\n"},
    {"mobile": OPERATOR},
    {"gender": "other"},
    {"gender": 1},
    {"bio": "x" * 501},
    {"bio": "a\x00b"},
    {"bio": 7},
    {"socialLinks": []},
    {"socialLinks": "https://g.example"},
    {"socialLinks": {"github": "javascript:alert(1)"}},
    {"socialLinks": {"github": "x" * 3000}},
    {"socialLinks": {"twitter": 7}},
    {"image": "javascript:alert(1)"},
    {"image": "data:image/png;base64,AAAA"},
    {"image": "JAVASCRIPT:alert(1)//https://x.example"},
    {"image": "//x.example/a.png"},
    {"image": "/etc/passwd"},
    {"image": "file:///etc/passwd"},
    {"image": "https://"},
    {"image": "https://x.example/a b.png"},
    {"image": "https://x.example:99999/"},
    {"image": "https://x.example/" + "x" * 2048},
    {"image": ""},
    {"image": OPERATOR},
    {"image": "avatars/dev/../../secret"},
]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"nickname": ""}, "user/invalid-nickname"),
        ({"nickname": "x" * 51}, "user/invalid-nickname"),
        ({"nickname": 7}, "user/invalid-nickname"),
        *[(body, "common/invalid-parameters") for body in BAD_PROFILES],
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_bad_profile_is_refused_whole(town: Town, body: dict[str, Any], code: str) -> None:
    path = f"{town.ids['ada']}/profile"
    before = await town.stored("ada")
    town.api.clock.advance(1)
    assert await town.refused("ada", "PATCH", path, {"name": "Changed", **body}) == (400, code)
    assert await town.stored("ada") == before


# -- at the same moment ---------------------------------------------------------------------


async def test_changes_of_different_fields_at_once_are_all_kept(town: Town) -> None:
    ada = town.ids["ada"]
    links = {name: f"https://{name}.example" for name in ("github", "twitter", "linkedin")}
    await asyncio.gather(
        town.ok("ada", "PATCH", ada, {"name": "Together"}),
        town.ok("ada", "PATCH", f"{ada}/profile", {"bio": "b"}),
        town.ok("ada", "PATCH", f"{ada}/profile", {"image": "https://i.example/1.png"}),
        town.ok("ada", "PATCH", f"{ada}/preferences", {"theme": "dark"}),
        town.ok("ada", "PATCH", f"{ada}/preferences", {"locale": "ko"}),
        town.ok("ada", "PATCH", f"{ada}/notifications", {"sms": True}),
        town.ok("ada", "PATCH", f"{ada}/notifications", {"push": False}),
        town.ok("ada", "PATCH", f"{ada}/onboarding", {"completedSteps": ["a"]}),
        town.ok("ada", "PATCH", f"{ada}/onboarding", {"status": "completed"}),
        town.ok("ada", "PATCH", f"{ada}/public-settings", {"isPublic": True}),
        town.ok("eve", "PATCH", f"{ada}/role", {"role": "guest"}),
        *(
            town.ok("ada", "PATCH", f"{ada}/profile", {"socialLinks": {name: address}})
            for name, address in links.items()
        ),
    )
    user = await town.stored("ada")
    assert user["socialLinks"] == links
    assert (user["name"], user["bio"], user["role"]) == ("Together", "b", "guest")
    assert (user["image"], user["isPublic"]) == ("https://i.example/1.png", True)
    preferences = await town.ok("ada", "GET", f"{ada}/preferences")
    assert preferences == {"locale": "ko", "timezone": None, "theme": "dark"}
    switches = await town.ok("ada", "GET", f"{ada}/notifications")
    assert (switches["sms"], switches["push"]) == (True, False)
    onboarding = await town.ok("ada", "GET", f"{ada}/onboarding")
    assert (onboarding["status"], onboarding["completedSteps"]) == ("completed", ["a"])


async def test_a_change_after_a_deletion_is_none(town: Town) -> None:
    ada = town.ids["ada"]
    services = (await town.api.served.core.environment("app", town.api.environment)).users
    document = await services.records.get(ada)
    await town.ok("secret", "DELETE", ada)
    with pytest.raises(Exception, match="no such user"):
        await services.update(document, {"name": "Ghost"})
    with pytest.raises(Exception, match="no such user"):
        await services.remove(document)
    await town.api.store.commit([Update(USERS, ada, set={"deletedAt": None})])
    assert (await services.records.get(ada))["name"] == "ada"
