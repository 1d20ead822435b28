"""`bkend auth providers`: configured from the command line, the secret never on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine, bkend

__all__ = ["bkend"]


@pytest.fixture
def place(bkend: CommandLine) -> CommandLine:
    bkend("init")
    return bkend


def test_lists_what_there_is(place: CommandLine) -> None:
    found = place("auth", "providers", "--json").json["items"]
    assert [(item["provider"], item["enabled"]) for item in found] == [
        ("google", False),
        ("github", False),
    ]
    assert "https://github.com" in place("auth", "providers").stdout


def test_configures_with_a_secret_from_a_file_or_a_variable(
    place: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("GOCSPX-secret\n")
    made = place(
        *("auth", "providers", "google", "--client-id", "id", "--json"),
        *("--client-secret-file", "secret", "--additional-client-id", "android"),
    )
    google = made.json["items"][0]
    assert (google["enabled"], google["hasClientSecret"]) == (True, True)
    assert google["additionalClientIds"] == ["android"]
    assert "GOCSPX" not in made.stdout + made.stderr
    monkeypatch.setenv("ACME_SECRET", "s")
    issuer = ("--issuer", "https://id.acme.example", "--scope", "openid", "--scope", "email")
    secret = ("--client-id", "x", "--client-secret-env", "ACME_SECRET")
    place("auth", "providers", "acme", *secret, *issuer)
    [acme] = place("auth", "providers", "acme", "--json").json["items"]
    assert (acme["issuer"], acme["scopes"]) == ("https://id.acme.example", ["openid", "email"])
    place("auth", "providers", "acme", "--disabled")
    assert place("auth", "providers", "acme", "--json").json["items"][0]["enabled"] is False
    place("auth", "providers", "acme", "--remove")
    assert "not supported" in place.refused("auth", "providers", "acme")


def test_refuses_with_a_reason(place: CommandLine, tmp_path: Path) -> None:
    assert "clientId is required" in place.refused("auth", "providers", "google", "--enabled")
    bad = ("--client-id", "x", "--issuer", "http://id.acme.example")
    assert "issuer is an https address" in place.refused("auth", "providers", "acme", *bad)
    assert "not supported" in place.refused("auth", "providers", "email", "--enabled")
    missing = ("--client-secret-env", "BKEND_TEST_NOT_SET")
    assert "is not set" in place.refused("auth", "providers", "google", *missing)
    gone = ("--client-secret-file", "nowhere")
    assert "nowhere" in place.refused("auth", "providers", "google", *gone)
    assert "name the provider" in place("auth", "providers", "--enabled", code=2).stderr
    both = ("--remove", "--enabled")
    assert "goes alone" in place("auth", "providers", "google", *both, code=2).stderr
    two = ("--client-secret-env", "HOME", "--client-secret-file", "x")
    assert "one source" in place("auth", "providers", "google", *two, code=2).stderr
