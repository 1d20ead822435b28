from __future__ import annotations

from dataclasses import replace

import pytest

from bkend.auth.errors import InvalidRequest
from bkend.auth.redirects import is_allowed, require_allowed
from bkend.auth.settings import AuthSettings, StoredSettings
from bkend.manage.environments import EnvironmentState
from bkend.store import Store
from tests.auth.conftest import FakeClock, environment_state


@pytest.fixture
async def settings(store: Store, clock: FakeClock) -> AuthSettings:
    return await StoredSettings(store, clock).current()


def with_origins(environment: EnvironmentState, *origins: str) -> EnvironmentState:
    project = replace(environment.project, allowed_origins=frozenset(origins))
    return replace(environment, project=project)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
async def test_with_nothing_listed_dev_allows_the_web_and_others_this_machine(
    settings: AuthSettings, environment: str
) -> None:
    state = environment_state(environment)
    assert is_allowed("http://localhost:5173/in", settings, state)
    assert is_allowed("http://[::1]:3000/", settings, state)
    assert is_allowed("https://app.example/in", settings, state) is (environment == "dev")
    assert not is_allowed("myapp://in", settings, state)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://app.example/auth", True),
        ("https://app.example/auth/done?x=1#y", True),
        ("https://APP.example:443/auth", True),
        ("https://app.example/authority", False),
        ("https://app.example/", False),
        ("https://app.example/auth/../admin", False),
        ("https://app.example/auth/%2e%2e/admin", False),
        ("http://app.example/auth", False),
        ("https://app.example:444/auth", False),
        ("https://app.example.evil.test/auth", False),
        ("https://app.example@evil.test/auth", False),
        ("https://evil.test\\@app.example/auth", False),
        ("https://evil.test/https://app.example/auth", False),
        ("//app.example/auth", False),
        ("/auth", False),
        ("", False),
        ("https://app.example /auth", False),
        ("https://app.example/auth\n", False),
        ("https://app.example:x/auth", False),
        ("myapp://anything/at/all", True),
        ("myapps://anything", False),
        ("strict://home/in", True),
        ("strict://other/in", False),
        ("https://site.example/any/path", True),
        ("https://app.example/auth/" + "x" * 2048, False),
        ("javascript:alert(1)", False),
        ("javascript://app.example/auth%0aalert(1)", False),
    ],
)
async def test_lists(settings: AuthSettings, url: str, allowed: bool) -> None:
    listed = ("https://app.example/auth", "myapp://", "strict://home")
    settings = replace(settings, allowed_redirect_urls=listed)
    state = with_origins(environment_state("dev"), "https://site.example")
    assert is_allowed(url, settings, state) is allowed


async def test_refusal_names_the_field(settings: AuthSettings) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_allowed("https://x.test", settings, environment_state("prod"), "redirect")
    assert caught.value.details[0]["field"] == "redirect"
