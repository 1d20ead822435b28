"""What mails say, and mails that were not sent (51 §3.10, 00 §8)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from bkend.http.manage.shapes.common import Time

Category: TypeAlias = Literal[
    "signup_confirmation", "password_reset", "magic_link", "email_verification", "invitation"
]
MailLocale: TypeAlias = Literal["en", "ko"]


class MailConfig(TypedDict):
    """What all mails have in common; the times are null while nothing was ever set."""

    senderEmail: str | None
    senderName: str | None
    logoUrl: str | None
    brandColor: Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$")] | None
    overrideDefaults: bool
    defaultLocale: MailLocale
    createdAt: Time | None
    updatedAt: Time | None


class EmailTemplate(TypedDict):
    """A template in one language; the times are null while it is the built-in one."""

    id: Category
    category: Category
    name: str
    subject: str
    body: str
    customized: bool
    locale: MailLocale
    variables: list[str]
    createdAt: Time | None
    updatedAt: Time | None


class MailPreview(TypedDict):
    """A template with sample values."""

    subject: str
    htmlBody: str
    textBody: str


class TestMailSent(TypedDict):
    """Where the test mail goes."""

    message: str
    to: str


class OutboxMail(TypedDict):
    """A mail that was kept instead of sent."""

    id: str
    to: str
    subject: str | None
    template: str
    text: str | None
    html: str | None
    links: list[str]
    createdAt: Time
