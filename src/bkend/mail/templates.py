"""The templates of an environment: what is set, what was customized, what is in force
(10 §14, 51 §3.10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.clock import Clock
from bkend.errors import Detail, InvalidParameters
from bkend.mail.collections import TEMPLATES
from bkend.mail.errors import TemplateNotFound
from bkend.mail.variables import BY_CATEGORY, one_line, safe_link
from bkend.mail.wording import BUILT_IN, CATEGORIES, LOCALES, Locale
from bkend.store import DeleteWhere, Duplicate, Insert, OneOf, Store, Update
from bkend.store.documents import decode

LONGEST_SUBJECT = 200
LARGEST_BODY = 100 * 1024
"""Bytes of UTF-8."""
_CONFIG = "config"
_LONGEST_NAME = 100
_LONGEST_URL = 2048
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_DEFAULTS: dict[str, Any] = {
    "senderEmail": None,
    "senderName": None,
    "logoUrl": None,
    "brandColor": None,
    "overrideDefaults": False,
    "defaultLocale": "en",
}


class Templates:
    """Reads and changes the templates of one environment."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def config(self) -> dict[str, Any]:
        """The settings with their defaults; times are null while nothing was ever set."""
        body = await self._store.get(TEMPLATES, _CONFIG)
        stored = decode(body) if body else {}
        found = {name: stored.get(name, default) for name, default in _DEFAULTS.items()}
        return {**found, **_times(stored)}

    async def update_config(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change the settings that are given; null brings a default back.

        Raises InvalidParameters with a detail for each value that is not allowed.
        """
        problems: list[Detail] = []
        fields = {
            name: _checked(name, value, problems)
            for name, value in changes.items()
            if name in _DEFAULTS
        }
        if problems:
            raise InvalidParameters(problems[0]["message"], details=problems)
        await self._put(_CONFIG, fields)
        return await self.config()

    async def locale(self, wanted: str | None) -> Locale:
        """The language of a mail: the user's if there are templates in it, else the default."""
        tag = (wanted or "").lower().replace("_", "-").partition("-")[0]
        for locale in LOCALES:
            if locale == tag:
                return locale
        default: Locale = (await self.config())["defaultLocale"]
        return default

    async def asked_locale(self, given: str | None) -> Locale:
        """The locale of a call, the default one when none is named; raises InvalidParameters."""
        if given is None:
            return await self.locale(None)
        for locale in LOCALES:
            if given == locale:
                return locale
        message = f"locale is {' or '.join(LOCALES)}"
        detail: Detail = {"field": "locale", "rule": "enum", "message": message}
        raise InvalidParameters(message, details=[detail])

    async def list(self, locale: Locale) -> list[dict[str, Any]]:
        """The five templates in a language."""
        return [await self.get(category, locale) for category in CATEGORIES]

    async def get(self, category: str, locale: Locale) -> dict[str, Any]:
        """The customized template, else the built-in one; raises TemplateNotFound."""
        built_in = BUILT_IN[require_category(category), locale]
        body = await self._store.get(TEMPLATES, _key(category, locale))
        stored = decode(body) if body else {}
        return {
            "id": category,
            "category": category,
            "name": built_in.name,
            "subject": stored.get("subject", built_in.subject),
            "body": stored.get("body", built_in.body),
            "customized": bool(stored),
            "locale": locale,
            "variables": list(BY_CATEGORY[category]),
            **_times(stored),
        }

    async def in_force(
        self, category: str, locale: Locale, config: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Subject and body that mails are made of: built-in ones until `overrideDefaults`."""
        if config["overrideDefaults"]:
            found = await self.get(category, locale)
            return found["subject"], found["body"]
        built_in = BUILT_IN[require_category(category), locale]
        return built_in.subject, built_in.body

    async def update(
        self, category: str, locale: Locale, subject: str, body: str
    ) -> dict[str, Any]:
        """Customize a template; raises TemplateNotFound, InvalidParameters."""
        require_category(category)
        check_template(subject, body)
        await self._put(_key(category, locale), {"subject": subject, "body": body})
        return await self.get(category, locale)

    async def reset(self, category: str, locale: Locale | None) -> None:
        """Forget the customization in a language, or in all; raises TemplateNotFound."""
        require_category(category)
        locales = LOCALES if locale is None else (locale,)
        keys = tuple(_key(category, each) for each in locales)
        await self._store.commit([DeleteWhere(TEMPLATES, OneOf(("id",), keys))])

    async def _put(self, id: str, fields: Mapping[str, Any]) -> None:
        now = self._clock.now_ms()
        try:
            await self._store.commit([Insert(TEMPLATES, id, fields, now, now)])
        except Duplicate:
            await self._store.commit([Update(TEMPLATES, id, set=fields, updated_at=now)])


def require_category(category: str) -> str:
    """The category; raises TemplateNotFound."""
    if category not in CATEGORIES:
        raise TemplateNotFound(category)
    return category


def check_template(subject: str, body: str) -> None:
    """Raises InvalidParameters naming what is empty or too long."""
    problems: list[Detail] = []
    if not one_line(subject) or len(subject) > LONGEST_SUBJECT:
        _note(problems, "subject", "maxLength", f"has 1 to {LONGEST_SUBJECT} characters")
    if not body.strip() or len(body.encode("utf-8", "replace")) > LARGEST_BODY:
        _note(problems, "body", "maxLength", f"has 1 to {LARGEST_BODY} bytes of HTML")
    if problems:
        raise InvalidParameters(problems[0]["message"], details=problems)


def _key(category: str, locale: Locale) -> str:
    return f"{category}.{locale}"


def _times(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {"createdAt": stored.get("createdAt"), "updatedAt": stored.get("updatedAt")}


def _checked(name: str, value: Any, problems: list[Detail]) -> Any:
    """The value as it is stored; what is wrong with it is added to the problems."""
    if value is None:
        return _DEFAULTS[name]
    if name == "overrideDefaults":
        if not isinstance(value, bool):
            _note(problems, name, "type", "is true or false")
        return value
    if name == "defaultLocale":
        if value not in LOCALES:
            _note(problems, name, "enum", f"is {' or '.join(LOCALES)}")
        return value
    if not isinstance(value, str):
        _note(problems, name, "type", "is a text or null")
        return value
    value = value.strip()
    if not value:
        return _DEFAULTS[name]
    return _CHECKS[name](name, value, problems)


def _sender_email(name: str, value: str, problems: list[Detail]) -> str:
    try:
        return normalise_email(value)
    except InvalidEmail:
        _note(problems, name, "email", "is an e-mail address")
        return value


def _sender_name(name: str, value: str, problems: list[Detail]) -> str:
    if len(value) > _LONGEST_NAME or not value.isprintable():
        _note(problems, name, "maxLength", f"is one line of at most {_LONGEST_NAME} characters")
    return value


def _logo_url(name: str, value: str, problems: list[Detail]) -> str:
    if len(value) > _LONGEST_URL or not safe_link(value):
        _note(problems, name, "url", "is an http or https address")
    return value


def _brand_color(name: str, value: str, problems: list[Detail]) -> str:
    if not _COLOUR.fullmatch(value):
        _note(problems, name, "pattern", "is a colour such as #2563EB")
    return value


_CHECKS = {
    "senderEmail": _sender_email,
    "senderName": _sender_name,
    "logoUrl": _logo_url,
    "brandColor": _brand_color,
}


def _note(problems: list[Detail], field: str, rule: str, sentence: str) -> None:
    problems.append({"field": field, "rule": rule, "message": f"{field} {sentence}"})
