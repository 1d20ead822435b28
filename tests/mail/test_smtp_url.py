"""`BKEND_SMTP_URL`: what it may say, and that its password is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from bkend.mail.smtp_url import SmtpAddress, mask_smtp_url, parse_smtp_url
from bkend.settings import masked
from bkend.settings_reading import load_settings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("smtp://localhost", SmtpAddress("localhost", 587, "offered")),
        ("smtp://h:25?tls=off", SmtpAddress("h", 25, "off")),
        ("smtp://h?tls=required&timeout=5", SmtpAddress("h", 587, "required", timeout=5)),
        ("smtp://u:p@h:2525", SmtpAddress("h", 2525, "required", "u", "p")),
        ("smtp://u:p@h?tls=auto", SmtpAddress("h", 587, "required", "u", "p")),
        ("smtp://u:p@h?tls=off", SmtpAddress("h", 587, "off", "u", "p")),
        (
            "smtps://u%40x.example:p%2F%3A@h",
            SmtpAddress("h", 465, "implicit", "u@x.example", "p/:"),
        ),
        ("smtps://me@x.example:p@h", SmtpAddress("h", 465, "implicit", "me@x.example", "p")),
        ("smtp://h?verify=off", SmtpAddress("h", 587, "offered", verify=False)),
        ("smtp://[::1]:25", SmtpAddress("::1", 25, "offered")),
    ],
)
def test_an_address_is_read(url: str, address: SmtpAddress) -> None:
    assert parse_smtp_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com:587",
        "http://h",
        "smtp://",
        "smtp://u:hunter2@h:0",
        "smtp://u:hunter2@h:99999",
        "smtp://u:hunter2@",
        "smtp://user@h",
        "smtp://:hunter2@h",
        "smtp://u:hunter2@h/path",
        "smtp://u:hunter2/x@h",
        "smtp://u:hunter2@h?starttls=1",
        "smtps://u:hunter2@h?tls=off",
        "smtp://u:hunter2@h?timeout=0",
        "smtp://u:hunter2@h?timeout=x",
        "smtp://u:hunter2@h?verify=no",
        "smtp://u:hunter2@h?ca=/nowhere.pem",
        "smtp://u:hunter2@h h",
        "smtp://[u:hunter2@h",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_smtp_url(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smtp://u:hunter2@h:25?tls=off", "smtp://u:********@h:25?tls=off"),
        ("smtp://me@x.example:hunter2@h", "smtp://me@x.example:********@h"),
        ("smtp://u:hunter2@hunter2@h", "smtp://u:********@h"),
        ("smtp://localhost:25", "smtp://localhost:25"),
    ],
)
def test_the_password_is_masked(url: str, shown: str) -> None:
    assert mask_smtp_url(url, "********") == shown
    assert masked("smtp_url", url) == shown


def test_it_is_a_setting_like_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bkend.toml").write_text('smtp_url = "smtp://u:hunter2@h"\n')
    loaded = load_settings()
    assert loaded.settings.smtp_url == "smtp://u:hunter2@h"
    assert loaded.sources["smtp_url"] == "bkend.toml"
    assert "hunter2" not in repr(loaded.settings)
