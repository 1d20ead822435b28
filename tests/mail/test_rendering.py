"""Filling templates: every value harmless where it lands, whatever strangers call themselves."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest

from bkend.mail.layout import text_colour
from bkend.mail.plain import links_of, to_text
from bkend.mail.rendering import Look, Rendered, complete, render
from bkend.mail.service import samples
from bkend.mail.variables import BY_CATEGORY, fill_html, fill_subject, safe_link
from bkend.mail.wording import BUILT_IN, CATEGORIES, LOCALES, Locale, duration

LOOK = Look("Plant Diary")
EVERY = [(category, locale) for category in CATEGORIES for locale in LOCALES]


def shown(
    category: str = "password_reset",
    locale: Locale = "en",
    look: Look = LOOK,
    schemes: tuple[str, ...] = (),
    subject: str | None = None,
    body: str | None = None,
    **values: str,
) -> Rendered:
    built_in = BUILT_IN[category, locale]
    filled = complete(category, {**samples(locale), **values}, look, locale, 1440, schemes)
    return render(subject or built_in.subject, body or built_in.body, filled, locale)


class _Balance(HTMLParser):
    """Open tags that were never closed, and closed ones that were never opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize(("category", "locale"), EVERY)
def test_a_built_in_mail_is_complete(category: str, locale: Locale) -> None:
    mail = shown(category, locale)
    assert mail.subject
    assert "{{" not in mail.html + mail.text + mail.subject
    assert mail.links == [samples(locale)["magicLink"]]
    assert mail.text.count(mail.links[0]) == 1
    assert f'<html lang="{locale}">' in mail.html
    balance = _Balance()
    balance.feed(mail.html)
    assert not balance.open
    assert not balance.wrong
    for part in (mail.html, mail.text):
        assert "ada@example.com" in part
        assert "Plant Diary" in part
    assert ("24 hours" if locale == "en" else "24시간") in mail.text


@pytest.mark.parametrize(("category", "locale"), EVERY)
def test_a_built_in_template_uses_known_variables_only(category: str, locale: Locale) -> None:
    built_in = BUILT_IN[category, locale]
    marked = {name: f"<{name}>" for name in BY_CATEGORY[category]}
    for filled in (
        fill_subject(built_in.subject, marked),
        fill_html(built_in.body, marked),
    ):
        assert "{{" not in filled
    blanks = built_in.subject.count("{{") + built_in.body.count("{{")
    known = fill_subject(built_in.subject, marked).count("<") + fill_html(
        built_in.body, marked
    ).count("&lt;")
    assert blanks == known


@pytest.mark.parametrize(
    "name",
    [
        '<img src=x onerror="alert(1)">',
        '"><script>alert(1)</script>',
        "</title><style>*{display:none}</style>",
        "{{7*7}}{% raw %}${7*7}",
        "{{ ''.__class__.__mro__ }}",
        "&lt;b&gt;",
    ],
)
def test_a_value_never_becomes_markup(name: str) -> None:
    mail = shown("invitation", userName=name, inviterName=name, resourceName=name)
    tags = mail.html.lower()
    assert "<script" not in tags
    assert "<img" not in tags
    assert tags.count("<style") == 1
    assert "49" not in mail.text.replace("2499", "")
    assert "&amp;lt;b&amp;gt;" in mail.html or "&lt;b&gt;" not in name


def test_a_value_is_not_filled_again() -> None:
    mail = shown(body="<p>{{userName}}|{{token}}</p>", userName="{{token}}", token="t0ken")
    assert mail.text.splitlines()[0] == "{{token}}|t0ken"


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b", "\x00"])
def test_a_subject_is_one_line(end: str) -> None:
    mail = shown(subject="For {{userName}}", userName=f"Ada{end}Bcc: eve@example.com")
    assert mail.subject == "For Ada Bcc: eve@example.com"


def test_a_name_does_not_become_a_link_in_mail_programs() -> None:
    mail = shown(userName="Win at https://evil.example/x or www.evil.example")
    for part in (mail.html, mail.text):
        assert "evil.example" not in part
        assert "https://evil" not in part
    assert shown(userName="J. R. R. Tolkien").text.startswith(
        "Choose a new password\n\nHello J. R."
    )


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        " https://x.example",
        "https://x.example/\r\nBcc: a@b",
        "vbscript:x",
        "/relative",
        "//host/path",
        "https:///nohost",
        "https://[",
        "myapp://reset",
    ],
)
def test_a_link_of_another_kind_is_left_out(link: str) -> None:
    assert safe_link(link) == ""
    assert shown(resetLink=link).links == []


def test_an_allowed_scheme_of_an_app_may_be_linked() -> None:
    assert shown(resetLink="myapp://reset?token=1", schemes=("myapp",)).links == [
        "myapp://reset?token=1"
    ]
    assert safe_link("javascript:alert(1)", ("javascript",)) == ""


def test_unknown_and_misspelled_variables_are_empty() -> None:
    mail = shown(subject="[{{ userNmae }}]{{ userName }}", body="<p>a{{verifyLink}}{{nope}}b</p>")
    assert mail.subject == "[]Ada Lovelace"
    assert mail.text.startswith("ab\n")


def test_variables_of_the_look_are_filled() -> None:
    look = Look("Plant & Diary", "https://cdn.example.com/logo.png?a=1&b=2", "#FFCC00")
    body = "<p>{{appName}}|{{logoUrl}}|{{brandColor}}|{{brandTextColor}}|{{expiresInMinutes}}</p>"
    assert shown(look=look, body=body).text.splitlines()[0] == (
        "Plant & Diary|https://cdn.example.com/logo.png?a=1&b=2|#FFCC00|#111418|1440"
    )
    html = shown(look=look).html
    assert 'src="https://cdn.example.com/logo.png?a=1&amp;b=2" alt="Plant &amp; Diary"' in html
    assert 'bgcolor="#FFCC00"' in html


def test_a_whole_document_is_sent_as_it_is() -> None:
    body = (
        "<!DOCTYPE html><html><head><style>p{color:red}</style></head><body><p>Hi</p></body></html>"
    )
    mail = shown(body=body)
    assert mail.html == body
    assert mail.text == "Hi\n"


def test_who_has_no_name_is_greeted_without_one() -> None:
    assert "Hello,\n" in shown(userName="").text
    assert "안녕하세요.\n" in shown(locale="ko", userName="").text


def test_text_of_html() -> None:
    html = (
        "<h1>Title</h1><p>One &amp; <b>two</b>\n three<br>four</p><ul><li>a<li>b</ul>"
        '<p><a href="https://x.example/?a=1&amp;b=2">Go</a> '
        '<a href="https://y.example">https://y.example</a> <a href="mailto:a@b.c">a@b.c</a></p>'
        "<script>no()</script><style>no</style>"
    )
    assert to_text(html) == (
        "Title\n\nOne & two three\nfour\n\n- a\n- b\n\n"
        "Go:\nhttps://x.example/?a=1&b=2 https://y.example a@b.c\n"
    )
    assert links_of(html) == ["https://x.example/?a=1&b=2", "https://y.example"]


@pytest.mark.parametrize(
    ("minutes", "english", "korean"),
    [
        (1, "1 minute", "1분"),
        (15, "15 minutes", "15분"),
        (60, "1 hour", "1시간"),
        (90, "90 minutes", "90분"),
        (1440, "24 hours", "24시간"),
        (10080, "7 days", "7일"),
    ],
)
def test_durations_are_told_as_people_do(minutes: int, english: str, korean: str) -> None:
    assert (duration(minutes, "en"), duration(minutes, "ko")) == (english, korean)


@pytest.mark.parametrize(
    ("background", "text"),
    [
        ("#000000", "#ffffff"),
        ("#2563eb", "#ffffff"),
        ("#FFEE00", "#111418"),
        ("#ffffff", "#111418"),
    ],
)
def test_the_words_on_the_button_can_be_read(background: str, text: str) -> None:
    assert text_colour(background) == text


@pytest.mark.parametrize(
    "piece",
    [
        "{{ ",
        "{",
        "{{a",
        "<a>",
        "<a href=x>",
        "<p",
        "</a>",
        "&",
        "<td>",
        "<!--",
        "<p '",
        '<a "',
        "<a href= ",
        "<head>",
        "<a\thref",
        "\n",
    ],
)
def test_no_template_takes_long(piece: str) -> None:
    body = piece * (100_000 // len(piece))
    began = time.monotonic()
    shown(body=body)
    assert time.monotonic() - began < 5


def test_text_of_html_that_is_not_well_formed() -> None:
    html = (
        "a < b <!-- <p>no</p> --><p title=don't>c</p><P DATA-PLAIN='skip'>no<p>no</p></P>"
        '<IMG data-plain="skip" src=x>d<A HREF = x://y>e</A><!-- never ends <p>no</p>'
    )
    assert to_text(html) == "a < b\n\nc\n\nde:\nx://y\n"
    assert links_of(html) == ["x://y"]
