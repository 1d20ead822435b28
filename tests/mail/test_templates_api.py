"""`…/email-templates`: reading, customizing, previewing, testing, resetting (10 §14, 51 §3.10)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.mail.wording import CATEGORIES
from tests.mail.conftest import RESET, Manager

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/email-templates"
RESET_PATH = f"{PATH}/password_reset"
DEFAULTS = {
    "senderEmail": None,
    "senderName": None,
    "logoUrl": None,
    "brandColor": None,
    "overrideDefaults": False,
    "defaultLocale": "en",
}


async def subject_of(manager: Manager, locale: str | None = None) -> str:
    """The subject that a mail sent now has."""
    opened = await manager.served.core.environments.get(manager.id)
    assert opened is not None
    operation: Any = await opened.services.mail.compose(
        "password_reset", "a@example.com", RESET, locale
    )
    return str(operation.fields["subject"])


async def test_settings_are_read_and_changed(manager: Manager) -> None:
    found = await manager.ok("GET", f"{PATH}/config")
    assert found == {**DEFAULTS, "createdAt": None, "updatedAt": None}
    wanted = {
        "senderEmail": "hello@example.com",
        "senderName": "Plant Diary",
        "logoUrl": "https://cdn.example.com/logo.png",
        "brandColor": "#2E7D32",
        "overrideDefaults": True,
        "defaultLocale": "ko",
    }
    changed = await manager.ok("PUT", f"{PATH}/config", wanted)
    assert changed.items() >= wanted.items()
    assert changed["createdAt"]
    assert await manager.ok("GET", f"{PATH}/config") == changed
    cleared = await manager.ok("PUT", f"{PATH}/config", {"logoUrl": None, "senderName": ""})
    assert cleared["logoUrl"] is None
    assert cleared["senderName"] is None
    assert cleared["senderEmail"] == "hello@example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("senderEmail", "no address"),
        ("senderEmail", "a@b.c\r\nBcc: x@y.z"),
        ("senderEmail", 1),
        ("senderName", "x" * 101),
        ("senderName", "a\nb"),
        ("logoUrl", "javascript:alert(1)"),
        ("logoUrl", "https://x.example/" + "a" * 2048),
        ("logoUrl", "/logo.png"),
        ("brandColor", "red"),
        ("brandColor", "#12345"),
        ("brandColor", "#123456;x:y"),
        ("brandColor", "#1234567"),
        ("overrideDefaults", "true"),
        ("defaultLocale", "fr"),
    ],
)
async def test_settings_that_are_not_allowed_change_nothing(
    manager: Manager, name: str, value: Any
) -> None:
    body = {"overrideDefaults": True, name: value}
    answer = await manager.http.put(f"{PATH}/config", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "common/invalid-parameters"
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [name]
    found = await manager.ok("GET", f"{PATH}/config")
    assert {key: found[key] for key in DEFAULTS} == DEFAULTS


async def test_the_five_templates_are_listed_in_both_languages(manager: Manager) -> None:
    for query, locale in (("", "en"), ("?locale=ko", "ko")):
        page = await manager.ok("GET", f"{PATH}{query}")
        assert [item["id"] for item in page["items"]] == list(CATEGORIES)
        assert page["pagination"]["total"] == 5
        for item in page["items"]:
            assert (item["category"], item["locale"]) == (item["id"], locale)
            assert item["customized"] is False
            assert item["name"]
            assert item["subject"]
            assert "{{" in item["body"]


async def test_a_customized_template_is_in_force_only_with_the_switch(manager: Manager) -> None:
    wanted = {"subject": "New password, {{userName}}", "body": "<p>{{resetLink}}</p>"}
    saved = await manager.ok("PUT", RESET_PATH, wanted)
    assert saved.items() >= {**wanted, "customized": True, "locale": "en"}.items()
    assert await manager.ok("GET", RESET_PATH) == saved
    assert await subject_of(manager) == "Reset your app password"
    await manager.ok("PUT", f"{PATH}/config", {"overrideDefaults": True})
    assert await subject_of(manager) == "New password, Ada"
    assert await subject_of(manager, "ko-KR") == "[app] 비밀번호를 재설정해 주세요"
    assert (await manager.ok("GET", f"{RESET_PATH}?locale=ko"))["customized"] is False


async def test_each_language_is_customized_and_reset_on_its_own(manager: Manager) -> None:
    await manager.ok("PUT", f"{PATH}/config", {"overrideDefaults": True})
    await manager.ok("PUT", RESET_PATH, {"subject": "one", "body": "1"})
    await manager.ok("PUT", f"{RESET_PATH}?locale=ko", {"subject": "하나", "body": "1"})
    assert [await subject_of(manager, locale) for locale in ("en", "ko", "fr", None)] == [
        "one",
        "하나",
        "one",
        "one",
    ]
    await manager.ok("PUT", f"{PATH}/config", {"defaultLocale": "ko"})
    assert [await subject_of(manager, locale) for locale in ("en-GB", "fr", None)] == [
        "one",
        "하나",
        "하나",
    ]
    gone = await manager.ok("DELETE", f"{RESET_PATH}?locale=ko")
    assert gone == {"deleted": True, "id": "password_reset"}
    assert (await manager.ok("GET", f"{RESET_PATH}?locale=ko"))["customized"] is False
    assert (await manager.ok("GET", f"{RESET_PATH}?locale=en"))["customized"] is True
    await manager.ok("DELETE", RESET_PATH)
    back = await manager.ok("GET", f"{RESET_PATH}?locale=en")
    assert back["customized"] is False
    assert back["subject"] == "Reset your {{appName}} password"
    await manager.ok("DELETE", RESET_PATH)  # again: there is nothing to forget


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"subject": "", "body": "x"}, "subject"),
        ({"subject": " \n", "body": "x"}, "subject"),
        ({"subject": "x" * 201, "body": "x"}, "subject"),
        ({"subject": "x", "body": ""}, "body"),
        ({"subject": "x", "body": "가" * 34_134}, "body"),
        ({"subject": "x"}, "body"),
        ({"body": "x"}, "subject"),
        ({"subject": 1, "body": "x"}, "subject"),
    ],
)
async def test_limits_of_a_template(manager: Manager, body: Any, field: str) -> None:
    answer = await manager.http.put(RESET_PATH, json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "common/invalid-parameters"
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


async def test_a_template_of_the_largest_size_is_taken(manager: Manager) -> None:
    body = {"subject": "x" * 200, "body": "x" * 102_400}
    assert (await manager.ok("PUT", RESET_PATH, body))["customized"] is True


@pytest.mark.parametrize("id", ["nothing", "Password_Reset", "password_reset.en", "%2e%2e"])
async def test_an_unknown_category_is_not_found(manager: Manager, id: str) -> None:
    refusal = (404, "auth/template-not-found")
    template = {"subject": "x", "body": "x"}
    assert await manager.refused("GET", f"{PATH}/{id}") == refusal
    assert await manager.refused("PUT", f"{PATH}/{id}", template) == refusal
    assert await manager.refused("DELETE", f"{PATH}/{id}") == refusal
    assert await manager.refused("POST", f"{PATH}/{id}/preview", {}) == refusal
    assert await manager.refused("POST", f"{PATH}/{id}/send-test", {"to": "a@b.cc"}) == refusal


@pytest.mark.parametrize("locale", ["fr", "../en", "", "EN"])
async def test_templates_are_in_two_languages_only(manager: Manager, locale: str) -> None:
    refusal = (400, "common/invalid-parameters")
    for method, path, body in (
        ("GET", PATH, None),
        ("GET", RESET_PATH, None),
        ("PUT", RESET_PATH, {"subject": "x", "body": "x"}),
        ("DELETE", RESET_PATH, None),
        ("POST", f"{RESET_PATH}/preview", None),
    ):
        assert await manager.refused(method, f"{path}?locale={locale}", body) == refusal


async def test_a_preview_shows_sample_values_and_sends_nothing(manager: Manager) -> None:
    shown = await manager.ok("POST", f"{RESET_PATH}/preview?locale=ko")
    assert list(shown) == ["subject", "htmlBody", "textBody"]
    assert shown["subject"] == "[app] 비밀번호를 재설정해 주세요"
    assert "김하나" in shown["htmlBody"]
    assert "김하나" in shown["textBody"]
    draft = {"subject": "{{userName}}!", "body": "<p>{{resetLink}} {{nope}}</p>"}
    shown = await manager.ok("POST", f"{RESET_PATH}/preview", draft)
    assert shown["subject"] == "Ada Lovelace!"
    assert "https://app.example.com/" in shown["textBody"]
    too_long = {"body": "x" * 102_401}
    assert (await manager.refused("POST", f"{RESET_PATH}/preview", too_long))[0] == 400
    assert (await manager.ok("GET", "/outbox"))["items"] == []


async def test_a_test_mail_shows_the_stored_template(manager: Manager) -> None:
    await manager.ok("PUT", RESET_PATH, {"subject": "Mine", "body": "<p>{{userEmail}}</p>"})
    sent = await manager.ok("POST", f"{RESET_PATH}/send-test", {"to": "Me@Example.com "})
    assert sent["to"] == "me@example.com"
    [mail] = (await manager.ok("GET", "/outbox"))["items"]
    assert (mail["to"], mail["subject"]) == ("me@example.com", "Mine")
    assert "me@example.com" in mail["text"]
    for to in ("nobody", "a@b.c\r\nBcc: x@y.z", ""):
        refusal = await manager.refused("POST", f"{RESET_PATH}/send-test", {"to": to})
        assert refusal == (400, "auth/invalid-email")
    assert (await manager.refused("POST", f"{RESET_PATH}/send-test", {}))[0] == 400


async def test_members_look_and_admins_change(manager: Manager) -> None:
    member, admin = await manager.as_role("member"), await manager.as_role("admin")
    template = {"subject": "x", "body": "x"}
    await member.ok("GET", PATH)
    await member.ok("GET", f"{PATH}/config")
    await member.ok("POST", f"{RESET_PATH}/preview", {})
    for method, path, body in (
        ("PUT", f"{PATH}/config", {}),
        ("PUT", RESET_PATH, template),
        ("DELETE", RESET_PATH, None),
        ("POST", f"{RESET_PATH}/send-test", {"to": "a@b.cc"}),
    ):
        assert await member.refused(method, path, body) == (403, "common/forbidden")
        assert (await admin.http.request(method, path, json=body)).status_code == 200
    billing = await manager.as_role("billing")
    assert await billing.refused("GET", PATH) == (403, "common/forbidden")


async def test_templates_of_environments_are_apart(manager: Manager) -> None:
    await manager.ok("PUT", RESET_PATH, {"subject": "Mine", "body": "<p>x</p>"})
    other, _, _ = await manager.served.new_environment()
    place = str(manager.http.base_url).rpartition("/environments/")[0]
    answer = await manager.http.get(f"{place}/environments/{other}{RESET_PATH}")
    assert answer.json()["customized"] is False
