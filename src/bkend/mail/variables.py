"""`{{variables}}`: plain replacement by name, in one pass, never a template engine (10 §14).

A value is escaped for the place it goes to. What it contains is not looked at again, so a name
such as `{{token}}` stays a name.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

LINKS = frozenset({"verifyLink", "resetLink", "magicLink", "inviteLink"})
"""Variables that hold an address, sent only with a scheme that may be."""
_NAMES = ("userName", "inviterName", "resourceName")
_COMMON = (
    "userName",
    "userEmail",
    "greeting",
    "appName",
    "logoUrl",
    "brandColor",
    "brandTextColor",
    "expiresInMinutes",
    "expiresIn",
)
BY_CATEGORY: dict[str, tuple[str, ...]] = {
    "signup_confirmation": ("verifyLink", "token", *_COMMON),
    "email_verification": ("verifyLink", "token", *_COMMON),
    "password_reset": ("resetLink", "token", *_COMMON),
    "magic_link": ("magicLink", "token", *_COMMON),
    "invitation": ("inviterName", "resourceName", "inviteLink", "token", *_COMMON),
}
"""The variables a template of each category may use; others render as empty."""

_VARIABLE = re.compile(r"\{\{([^{}]{0,80})\}\}")
_WEB = frozenset({"http", "https"})
_NEVER = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})
_LONGEST_NAME = 200
_LONGEST_SUBJECT = 300
# Mail programs turn what looks like an address into a link, also in the name of a stranger.
_LINKABLE = re.compile(r"(?<=\S)([.:/@])(?=[^\s.])")
_APART = "\u200b"
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def fill_html(template: str, values: Mapping[str, str]) -> str:
    """The template with every variable replaced, its value escaped for HTML and attributes."""
    return _VARIABLE.sub(lambda m: html.escape(values.get(m[1].strip(), ""), quote=True), template)


def fill_subject(template: str, values: Mapping[str, str]) -> str:
    """One line without control characters, so that nothing can add a header."""
    filled = _VARIABLE.sub(lambda m: values.get(m[1].strip(), ""), template)
    return one_line(filled.replace(_APART, ""))[:_LONGEST_SUBJECT].rstrip()


def one_line(text: str) -> str:
    """The text without line breaks and control characters, runs of spaces as one."""
    clean = "".join(" " if _is_control(c) else c for c in _well_formed(text))
    return " ".join(clean.split())


def prepared(
    category: str, values: Mapping[str, str], schemes: Collection[str] = ()
) -> dict[str, str]:
    """The values that templates of the category may use, made harmless.

    Links keep only http, https and the given schemes; names lose what mail programs would turn
    into a link.
    """
    found = {}
    for name in BY_CATEGORY[category]:
        value = _well_formed(values.get(name, ""))
        if name in LINKS:
            value = safe_link(value, schemes)
        elif name in _NAMES:
            value = _LINKABLE.sub(rf"\1{_APART}", one_line(value)[:_LONGEST_NAME])
        found[name] = value
    return found


def safe_link(link: str, schemes: Collection[str] = ()) -> str:
    """The link when its scheme is http, https or a given one; else nothing."""
    if any(c.isspace() or not c.isprintable() for c in link):
        return ""
    try:
        parts = urlsplit(link)
        _ = parts.port
    except ValueError:
        return ""
    if parts.scheme in _NEVER:
        return ""
    if parts.scheme in _WEB:
        return link if parts.hostname else ""
    return link if parts.scheme and parts.scheme in schemes else ""


def _is_control(character: str) -> bool:
    """Line breaks, control characters, and what turns the direction of writing."""
    return unicodedata.category(character) in ("Cc", "Zl", "Zp") or character in _TURNING


def _well_formed(text: str) -> str:
    """Without halves of surrogate pairs, which no mail can carry."""
    return text.encode("utf-8", "replace").decode()
