"""Writing mail: rendered, then put in the outbox in one commit with what it is about (10 §14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from bkend.auth.settings import AuthSettings, StoredSettings
from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.mail.collections import OUTBOX
from bkend.mail.outbox import Outbox
from bkend.mail.rendering import Look, Rendered, complete, render
from bkend.mail.templates import Templates, check_template, require_category
from bkend.mail.wording import Locale
from bkend.manage.environments import EnvironmentState
from bkend.store import Insert, Operation, Store

Category: TypeAlias = Literal[
    "signup_confirmation", "email_verification", "password_reset", "magic_link", "invitation"
]

GIVE_UP_MINUTES = 24 * 60
"""How long a mail is tried at most; shorter when its link expires before."""


class Post(Protocol):
    """Who carries mails away."""

    @property
    def captures(self) -> bool:
        """Whether there is no SMTP server: mails stay in the outbox to be read."""

    def wake(self) -> None:
        """There is something to send."""


class Mail:
    """The mail of one environment. Without `post` mails are captured."""

    def __init__(
        self,
        store: Store,
        environment: EnvironmentState,
        clock: Clock,
        post: Post | None = None,
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._post = post
        self._settings = StoredSettings(store, clock)
        self.templates = Templates(store, clock)
        self.outbox = Outbox(store, environment.id, clock)

    @property
    def captures(self) -> bool:
        """Whether mails stay in the outbox to be read."""
        return self._post is None or self._post.captures

    async def compose(
        self, category: Category, to: str, values: Mapping[str, str], locale: str | None = None
    ) -> Operation:
        """The operation that puts a mail in the outbox, for the commit of what it is about.

        `values` are the variables of 10 §14 by name (`userName`, `resetLink`, …); `locale` is
        the user's, None for the default.
        """
        config = await self.templates.config()
        language = await self.templates.locale(locale)
        subject, body = await self.templates.in_force(category, language, config)
        return await self._put(category, to, values, language, config, subject, body)

    def send_soon(self) -> None:
        """To be called after that commit: delivery begins, and nobody waits for it."""
        if self._post is not None:
            self._post.wake()

    async def preview(
        self,
        category: str,
        locale: Locale,
        *,
        subject: str | None = None,
        body: str | None = None,
    ) -> Rendered:
        """The stored template, or the given draft, with sample values; sends nothing.

        Raises TemplateNotFound, InvalidParameters.
        """
        found = await self.templates.get(require_category(category), locale)
        subject = found["subject"] if subject is None else subject
        body = found["body"] if body is None else body
        check_template(subject, body)
        config = await self.templates.config()
        values = samples(locale)
        return await self._render(category, values, locale, config, subject, body)

    async def send_test(self, category: str, to: str, locale: Locale) -> Operation:
        """As `compose`, of the stored template with sample values; raises TemplateNotFound."""
        found = await self.templates.get(require_category(category), locale)
        config = await self.templates.config()
        values = {**samples(locale), "userEmail": to}
        return await self._put(
            category, to, values, locale, config, found["subject"], found["body"]
        )

    async def _put(
        self,
        category: str,
        to: str,
        values: Mapping[str, str],
        locale: Locale,
        config: Mapping[str, Any],
        subject: str,
        body: str,
    ) -> Operation:
        values = {"userEmail": to, **values}
        settings = await self._settings.current()
        mail = await self._render(category, values, locale, config, subject, body)
        now = self._clock.now_ms()
        fields: dict[str, Any] = {
            "category": category,
            "to": to,
            "locale": locale,
            "fromEmail": config["senderEmail"],
            "fromName": config["senderName"] or self._environment.project.name,
            "subject": mail.subject,
            "html": mail.html,
            "text": mail.text,
            "links": mail.links,
            "values": dict(values),
            "status": "captured",
        }
        if not self.captures:
            minutes = min(GIVE_UP_MINUTES, _minutes(category, settings))
            fields |= {
                "status": "waiting",
                "attempts": 0,
                "dueAt": now,
                "giveUpAt": now + minutes * 60_000,
            }
        return Insert(OUTBOX, uuid4(), fields, now, now)

    async def _render(
        self,
        category: str,
        values: Mapping[str, str],
        locale: Locale,
        config: Mapping[str, Any],
        subject: str,
        body: str,
    ) -> Rendered:
        settings = await self._settings.current()
        look = Look(self._environment.project.name, config["logoUrl"], config["brandColor"])
        schemes = {urlsplit(url).scheme for url in settings.allowed_redirect_urls}
        minutes = _minutes(category, settings)
        filled = complete(category, values, look, locale, minutes, schemes)
        return render(subject, body, filled, locale)


def _minutes(category: str, settings: AuthSettings) -> int:
    """How long the link of a mail works (10 §3)."""
    if category == "magic_link":
        return settings.magic_link_expiration_minutes
    if category == "invitation":
        return settings.invitation_expiration_days * 24 * 60
    return settings.verification_token_ttl_hours * 60


def samples(locale: Locale) -> dict[str, str]:
    """Values for previews and test mails; the links lead nowhere."""
    korean = locale == "ko"
    link = "https://app.example.com/welcome?token=sample-token"
    return {
        "userName": "김하나" if korean else "Ada Lovelace",
        "userEmail": "ada@example.com",
        "inviterName": "이준호" if korean else "Grace Hopper",
        "resourceName": "디자인 팀" if korean else "Design team",
        "token": "sample-token",
        "verifyLink": link,
        "resetLink": link,
        "magicLink": link,
        "inviteLink": link,
    }
