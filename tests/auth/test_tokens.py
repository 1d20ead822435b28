from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import jwt
import orjson
import pytest

from bkend.auth.tokens import Tokens
from bkend.errors import InvalidToken, TokenExpired
from bkend.secret import Secret
from tests.auth.conftest import FakeClock

SECRET = Secret(b"x" * 32)
KEY = SECRET.key("jwt")
NOW = 1_800_000_000


@pytest.fixture
def tokens(clock: FakeClock) -> Tokens:
    return Tokens(SECRET, clock)


def claims(**changes: Any) -> dict[str, Any]:
    """Everything that a good access token holds, with changes; None leaves a claim out."""
    whole = {
        "sub": "u1",
        "sid": "s1",
        "jti": "j1",
        "typ": "access",
        "role": "user",
        "pid": "p1",
        "env": "dev",
        "iss": "bkend",
        "iat": NOW,
        "exp": NOW + 3600,
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def signed(payload: dict[str, Any], key: bytes = KEY, **options: Any) -> str:
    return jwt.encode(payload, key, **{"algorithm": "HS256", **options})


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def test_good_access_token_says_whom_it_stands_for(tokens: Tokens) -> None:
    found = tokens.verify_access(signed(claims()))
    assert (found.user_id, found.session_id, found.project_id) == ("u1", "s1", "p1")
    assert (found.environment, found.expires_at) == ("dev", NOW + 3600)


def test_access_token_carries_every_claim_of_the_contract(tokens: Tokens) -> None:
    token = tokens.sign(
        "access",
        user_id="u1",
        session_id="s1",
        project_id="p1",
        environment="dev",
        issued_at=NOW,
        expires_at=NOW + 60,
        role="user",
    )
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    held = jwt.decode(token, options={"verify_signature": False})
    assert set(held) == {"sub", "sid", "jti", "typ", "role", "pid", "env", "iss", "iat", "exp"}
    assert held["exp"] - held["iat"] == 60


def test_tokens_of_the_same_second_differ(tokens: Tokens) -> None:
    common: dict[str, Any] = {
        "user_id": "u1",
        "session_id": "s1",
        "project_id": "p1",
        "environment": "dev",
        "issued_at": NOW,
        "expires_at": NOW + 60,
    }
    assert tokens.sign("access", **common, role="user") != tokens.sign(
        "access", **common, role="user"
    )
    fixed = {**common, "token_id": "same"}
    assert tokens.sign("refresh", **fixed) == tokens.sign("refresh", **fixed)


@pytest.mark.parametrize(
    "name", ["sub", "sid", "jti", "typ", "role", "pid", "env", "iss", "iat", "exp"]
)
def test_missing_claim_is_refused(tokens: Tokens, name: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify_access(signed(claims(**{name: None})))


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "refresh"},
        {"typ": ["access"]},
        {"iss": "another"},
        {"sid": 1},
        {"sid": {"$ne": None}},
        {"env": ["dev"]},
        {"exp": "tomorrow"},
        {"exp": 1e400},
    ],
)
def test_claim_of_the_wrong_kind_is_refused(tokens: Tokens, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify_access(signed(claims(**changes)))


def test_refresh_token_is_no_access_token_nor_the_other_way(tokens: Tokens) -> None:
    access, refresh = signed(claims()), signed(claims(typ="refresh"))
    tokens.verify(refresh, "refresh")
    for token, kind in ((access, "refresh"), (refresh, "access")):
        with pytest.raises(InvalidToken):
            tokens.verify(token, kind)  # type: ignore[arg-type]
    with pytest.raises(InvalidToken):
        tokens.verify_access(refresh)


def signed_by_hand(algorithm: str, key: bytes) -> str:
    """An HMAC made without the library, which would refuse or warn."""
    text = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}"
    hash = hashlib.sha512 if algorithm == "HS512" else hashlib.sha256
    digest = hmac.new(key, text.encode(), hash).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _without_algorithm() -> str:
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims())}."


def _tampered() -> str:
    head, _, signature = signed(claims()).split(".")
    return f"{head}.{part(claims(sub='somebody else'))}.{signature}"


def _labelled_rs256() -> str:
    token = signed(claims())
    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{token.partition('.')[2]}"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(_without_algorithm(), id="no algorithm"),
        pytest.param(_without_algorithm() + signed(claims()).split(".")[2], id="none, signed"),
        pytest.param(_labelled_rs256(), id="another algorithm in the header"),
        pytest.param(signed_by_hand("HS512", KEY), id="another HMAC"),
        pytest.param(signed_by_hand("RS256", KEY), id="RS256 in the header, HMAC inside"),
        pytest.param(signed_by_hand("HS256", b"-----BEGIN PUBLIC KEY-----"), id="public key"),
        pytest.param(signed_by_hand("HS256", b""), id="empty key"),
        pytest.param(signed(claims(), b"y" * 32), id="another secret"),
        pytest.param(
            signed(claims(), headers={"crit": ["b64"], "b64": False}), id="critical header b64"
        ),
        pytest.param(
            signed(claims(), headers={"crit": ["unknown"], "unknown": 1}), id="critical header"
        ),
        pytest.param(_tampered(), id="tampered payload"),
        pytest.param(signed(claims())[:-1], id="cut signature"),
        pytest.param(signed(claims()).rpartition(".")[0] + ".", id="empty signature"),
        pytest.param("", id="empty"),
        pytest.param("..", id="dots"),
        pytest.param("a.b.c", id="letters"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param("{}", id="JSON"),
        pytest.param(f"{part([])}.{part([])}.", id="lists"),
        pytest.param(f"{part({'alg': ['HS256']})}.{part(claims())}.x", id="list of algorithms"),
    ],
)
def test_forged_token_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify_access(token)
    with pytest.raises(InvalidToken):
        tokens.verify(token, "refresh")


def test_token_made_by_hand_with_the_right_key_is_good(tokens: Tokens) -> None:
    """So that the forgeries above fail for their flaw and not for how they are made."""
    tokens.verify_access(signed_by_hand("HS256", KEY))


def test_longer_token_than_any_of_ours_is_not_even_parsed(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(claims(padding="x" * 8192))
    monkeypatch.setattr(jwt, "decode", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(InvalidToken):
        tokens.verify_access(token)


def test_access_token_expires_although_it_is_remembered(tokens: Tokens, clock: FakeClock) -> None:
    token = signed(claims(exp=NOW + 60))
    tokens.verify_access(token)
    clock.advance(59.7)
    tokens.verify_access(token)
    clock.advance(0.05)
    with pytest.raises(TokenExpired):
        tokens.verify_access(token)


def test_refresh_token_past_its_time_still_tells_its_session(
    tokens: Tokens, clock: FakeClock
) -> None:
    token = signed(claims(typ="refresh"))
    clock.advance(10**6)
    assert tokens.verify(token, "refresh").session_id == "s1"
