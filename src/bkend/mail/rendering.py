"""From a template and values to what is sent: subject, HTML, text, links (10 §14)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bkend.mail.layout import in_layout, is_document, text_colour
from bkend.mail.plain import links_of, to_text
from bkend.mail.variables import fill_html, fill_subject, one_line, prepared, safe_link
from bkend.mail.wording import FOOTER, Locale, duration, greeting

DEFAULT_COLOUR = "#2563eb"


@dataclass(frozen=True, slots=True)
class Look:
    """What all mails of an environment have in common."""

    app_name: str
    logo_url: str | None = None
    brand_color: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's content."""

    subject: str
    html: str
    text: str
    links: list[str]


def complete(
    category: str,
    given: Mapping[str, str],
    look: Look,
    locale: Locale,
    minutes: int,
    schemes: Collection[str] = (),
) -> dict[str, str]:
    """All variables of a mail, made harmless: the given ones and those that we add.

    `minutes` is how long its link works, `schemes` are those of apps that links may have.
    """
    values = prepared(category, given, schemes)
    colour = look.brand_color or DEFAULT_COLOUR
    return values | {
        "greeting": greeting(values["userName"], locale),
        "appName": one_line(look.app_name),
        "logoUrl": safe_link(look.logo_url or ""),
        "brandColor": colour,
        "brandTextColor": text_colour(colour),
        "expiresInMinutes": str(minutes),
        "expiresIn": duration(minutes, locale),
    }


def render(subject: str, body: str, values: Mapping[str, str], locale: Locale) -> Rendered:
    """The content of a mail; `values` are those of `complete`.

    A body that is a whole HTML document is sent as it is, any other one within our layout.
    """
    filled, line = fill_html(body, values), fill_subject(subject, values)
    links = links_of(filled)
    if is_document(body):
        return Rendered(line, filled, to_text(filled), links)
    footer = fill_html(FOOTER[locale], values)
    page = in_layout(
        filled,
        subject=line,
        footer=footer,
        app_name=values["appName"],
        logo=values["logoUrl"],
        colour=values["brandColor"],
        locale=locale,
    )
    return Rendered(line, page, f"{to_text(filled)}\n{to_text(footer)}", links)
