"""ID tokens that an app sends: genuine ones of a real provider, and forgeries of them (10 §7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.auth.answers import code
from tests.auth.conftest import Api
from tests.auth.social.conftest import (
    CLIENT,
    OidcProvider,
    Scripted,
    begin,
    configure,
    query_of,
)
from tests.auth.social.issuer import EC, RSA, SMALL_RSA, Issuer, jwk_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def acme(api: Api, oidc: OidcProvider) -> None:
    oidc.user("ada")
    await configure(api, "acme", issuer=oidc.url)


async def post(api: Api, token: str, provider: str = "acme", **more: Any) -> httpx.Response:
    return await api.http.post(f"/v1/auth/{provider}/callback", json={"idToken": token, **more})


async def refused(api: Api, token: str, provider: str = "acme") -> bool:
    answer = await post(api, token, provider)
    if answer.status_code == 200:
        return False
    assert (answer.status_code, code(answer)) == (401, "auth/invalid-oauth-code")
    return True


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


# -- genuine tokens of the real provider ----------------------------------------------------


async def test_a_genuine_token_signs_in(api: Api, oidc: OidcProvider) -> None:
    answer = await post(api, oidc.id_token("ada", nonce="the app's own"), accessToken="ignored")
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == "ada@acme.example"


async def test_a_token_for_another_app_is_refused(api: Api, oidc: OidcProvider) -> None:
    token = oidc.id_token("ada", client_id="another-app")
    assert await refused(api, token)
    await configure(api, "acme", issuer=oidc.url, additionalClientIds=["another-app"])
    assert not await refused(api, token)


async def test_a_token_under_another_issuer_is_refused(api: Api, oidc: OidcProvider) -> None:
    elsewhere = oidc.url.replace("127.0.0.1", "localhost")
    token = oidc.id_token("ada", at=elsewhere)
    assert jwt.decode(token, options={"verify_signature": False})["iss"] == elsewhere
    assert await refused(api, token)


async def test_a_token_lives_as_long_as_it_says(api: Api, oidc: OidcProvider) -> None:
    token = oidc.id_token("ada")
    api.clock.advance(3600 + 90)
    assert await refused(api, token)
    api.clock.advance(-2 * 3600)
    assert await refused(api, token), "it comes from the future"


async def test_a_token_without_verified_address_is_a_fault(api: Api, oidc: OidcProvider) -> None:
    oidc.user("carl", email_verified=False)
    answer = await post(api, oidc.id_token("carl"))
    assert (answer.status_code, code(answer)) == (500, "auth/oauth-callback-failed")


async def test_a_sign_in_of_this_server_asks_for_its_nonce(api: Api, oidc: OidcProvider) -> None:
    asked = query_of(await begin(api, "acme"))
    wrong = await post(api, oidc.id_token("ada", nonce="another"), state=asked["state"])
    assert code(wrong) == "auth/invalid-oauth-code"
    asked = query_of(await begin(api, "acme"))
    right = await post(api, oidc.id_token("ada", nonce=asked["nonce"]), state=asked["state"])
    assert right.status_code == 200
    without = await post(
        api, oidc.id_token("ada"), state=query_of(await begin(api, "acme"))["state"]
    )
    assert code(without) == "auth/invalid-oauth-code"


async def test_a_token_that_was_touched_is_refused(api: Api, oidc: OidcProvider) -> None:
    token = oidc.id_token("ada")
    header, payload, signature = token.split(".")
    known = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    other = encoded({**claims, "sub": "mallory", "email": "mallory@acme.example"})
    [jwk] = oidc.http.get("/jwks").json()["keys"]
    public = jwt.PyJWK(jwk, algorithm="RS256").key.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    hs256 = _mac_signed({**known, "alg": "HS256"}, claims, public)
    forgeries = {
        "another payload": f"{header}.{other}.{signature}",
        "no signature": f"{header}.{payload}.",
        "alg none": f"{encoded({'alg': 'none'})}.{payload}.",
        "alg none with kid": f"{encoded({**known, 'alg': 'none'})}.{payload}.",
        "alg None": f"{encoded({**known, 'alg': 'None'})}.{payload}.",
        "the public key as a secret": hs256,
        "another algorithm": f"{encoded({**known, 'alg': 'RS512'})}.{payload}.{signature}",
        "the other accepted one": f"{encoded({**known, 'alg': 'ES256'})}.{payload}.{signature}",
        "a key of one's own": jwt.encode(claims, RSA, "RS256", headers={"kid": jwk.get("kid")}),
        "a key inside": jwt.encode(
            claims, RSA, "RS256", headers={"kid": "mine", "jwk": jwk_of(RSA, "mine")}
        ),
        "unknown crit": f"{encoded({**known, 'crit': ['x'], 'x': 1})}.{payload}.{signature}",
        "kid is no text": f"{encoded({**known, 'kid': {'$ne': None}})}.{payload}.{signature}",
        "five parts": f"{token}.x.y",
        "nothing": "x",
        "dots": "..",
        "long": "x" * 16_000,
    }
    for name, forged in forgeries.items():
        assert await refused(api, forged), name
    assert not await refused(api, token), "the token itself is good"


def _mac_signed(header: Any, claims: Any, secret: bytes) -> str:
    """HS256 with a public key as its secret, which PyJWT refuses to make."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


# -- an issuer whose keys the test holds ----------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def issuer(api: Api, scripted: Scripted) -> Issuer:
    found = Issuer(scripted)
    await configure(api, "own", issuer=found.url)
    return found


async def test_a_well_made_token_is_good(api: Api, issuer: Issuer) -> None:
    assert not await refused(api, issuer.token(), "own")
    assert not await refused(api, issuer.token(email_verified="true"), "own")
    assert not await refused(api, issuer.token(id=None), "own"), "there is only one key"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://accounts.google.com"},
        {"iss": ...},
        {"aud": "another-app"},
        {"aud": ...},
        {"aud": []},
        {"aud": {"the-app": 1}},
        {"aud": ["another-app"]},
        {"aud": ["the-app", "another-app"]},
        {"aud": ["the-app", "another-app"], "azp": "another-app"},
        {"aud": "the-ap"},
        {"exp": ...},
        {"exp": 0},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"iat": ...},
        {"iat": 4_000_000_000},
        {"iat": float("nan")},
        {"nbf": 4_000_000_000},
        {"sub": ...},
        {"sub": ""},
        {"sub": 17},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_well_signed_token_with_a_wrong_claim_is_refused(
    api: Api, issuer: Issuer, claims: Any
) -> None:
    key = jwt.api_jws.PyJWS()
    payload = json.dumps(issuer.claims(**claims)).encode()
    token = key.encode(payload, RSA, "RS256", headers={"kid": "k1"})
    assert await refused(api, token, "own")


async def test_a_token_for_several_must_have_been_asked_for_by_us(api: Api, issuer: Issuer) -> None:
    several = ["the-app", "another-app"]
    assert not await refused(api, issuer.token(aud=several, azp="the-app"), "own")
    assert not await refused(api, issuer.token(azp="an-android-app"), "own")


async def test_an_elliptic_key_signs_as_well(api: Api, issuer: Issuer) -> None:
    issuer.keys.append(jwk_of(EC, "k2"))
    issuer.publish()
    assert not await refused(api, issuer.token(EC, "k2"), "own")
    assert await refused(api, issuer.token(EC, "k1"), "own"), "that is the name of another key"
    assert await refused(api, issuer.token(EC, None), "own") is False, "the only one of its kind"


@pytest.mark.parametrize(
    "jwk",
    [
        jwk_of(SMALL_RSA, "bad"),
        jwk_of(RSA, "bad", use="enc"),
        jwk_of(RSA, "bad", alg="RS512"),
        {"kty": "oct", "kid": "bad", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "bad"},
        {"kty": "EC", "kid": "bad", "crv": "P-256", "x": "AA", "y": "AA"},
        "nonsense",
    ],
    ids=["small", "encryption", "algorithm", "symmetric", "empty", "off the curve", "text"],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_keys_that_are_not_for_this_are_passed_over(
    api: Api, scripted: Scripted, jwk: Any
) -> None:
    issuer = Issuer(scripted)
    issuer.keys.insert(0, jwk)
    issuer.publish()
    await configure(api, "own", issuer=issuer.url)
    signer = SMALL_RSA if jwk == jwk_of(SMALL_RSA, "bad") else RSA
    assert await refused(api, issuer.token(signer, "bad"), "own")
    assert not await refused(api, issuer.token(), "own")


async def test_an_unknown_key_is_looked_for_once_a_minute(api: Api, issuer: Issuer) -> None:
    assert not await refused(api, issuer.token(), "own")
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer.keys.append(jwk_of(other, "k2"))
    issuer.publish()
    for _ in range(5):
        assert await refused(api, issuer.token(other, "k2"), "own")
    assert issuer.fetches() == 0
    api.clock.advance(61)
    for _ in range(5):
        assert not await refused(api, issuer.token(other, "k2"), "own")
        assert await refused(api, issuer.token(other, "k3"), "own")
    assert issuer.fetches() == 1


async def test_a_key_that_is_withdrawn_is_forgotten_within_the_hour(
    api: Api, issuer: Issuer
) -> None:
    token = issuer.token(exp=int(time.time()) + 10_000)
    assert not await refused(api, token, "own")
    issuer.keys = [jwk_of(EC, "k2")]
    issuer.publish()
    api.clock.advance(3601)
    assert await refused(api, token, "own")


async def test_keys_that_cannot_be_fetched_are_a_fault(api: Api, issuer: Issuer) -> None:
    issuer.publish(keys={"status": 503, "body": {}})
    for _ in range(4):
        answer = await post(api, issuer.token(), "own")
        assert (answer.status_code, code(answer)) == (500, "auth/oauth-callback-failed")
    assert issuer.fetches() == 1, "it is left alone for a moment"
    issuer.publish(keys={"body": {"keys": issuer.keys}})
    api.clock.advance(6)
    assert not await refused(api, issuer.token(), "own")


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://accounts.google.com"},
        {"issuer": None},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user:password@keys.example/"},
        {"jwks_uri": None},
        {"token_endpoint": "http://192.168.0.1/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_a_discovery_document_that_leads_astray_is_not_followed(
    api: Api, issuer: Issuer, changed: Any
) -> None:
    issuer.document |= changed
    issuer.publish()
    answer = await post(api, issuer.token(), "own")
    assert (answer.status_code, code(answer)) == (500, "auth/oauth-callback-failed")
    assert issuer.fetches() == 0


async def test_redirects_of_a_provider_are_not_followed(api: Api, issuer: Issuer) -> None:
    issuer.publish(
        keys={"status": 302, "headers": {"Location": f"{issuer.url}/others"}, "body": {}},
        others={"body": {"keys": issuer.keys}},
    )
    assert code(await post(api, issuer.token(), "own")) == "auth/oauth-callback-failed"
    assert issuer.scripted.calls(f"{issuer.path}/others") == []


async def test_an_address_of_the_userinfo_endpoint_serves(api: Api, issuer: Issuer) -> None:
    token = issuer.token(email=..., email_verified=...)
    granted = {"body": {"access_token": "at", "token_type": "Bearer", "id_token": token}}
    person = {"sub": "ada", "email": "ada@acme.example", "email_verified": True}
    proof = {"code": "c", "redirectUri": "http://bkend.test/x"}
    issuer.publish(token=granted, userinfo={"body": {**person, "sub": "mallory"}})
    answer = await api.http.post("/v1/auth/own/callback", json=proof)
    assert code(answer) == "auth/oauth-callback-failed"
    issuer.publish(token=granted, userinfo={"body": person})
    answer = await api.http.post("/v1/auth/own/callback", json=proof)
    assert answer.status_code == 200
    [asked] = issuer.scripted.calls(f"{issuer.path}/userinfo")
    assert asked["authorization"] == "Bearer at"
    [exchanged] = issuer.scripted.calls(f"{issuer.path}/token")
    basic = base64.b64decode(exchanged["authorization"].removeprefix("Basic ")).decode()
    assert basic == "the-app:s3cret+%26+more"
    assert "client_secret" not in exchanged["form"]


async def test_the_secret_goes_where_the_provider_wants_it(api: Api, issuer: Issuer) -> None:
    issuer.document["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    granted = {"access_token": "at", "token_type": "Bearer", "id_token": issuer.token()}
    issuer.publish(token={"body": granted})
    proof = {"code": "c", "redirectUri": "http://bkend.test/x"}
    assert (await api.http.post("/v1/auth/own/callback", json=proof)).status_code == 200
    [exchanged] = issuer.scripted.calls(f"{issuer.path}/token")
    assert exchanged["form"]["client_secret"] == CLIENT["clientSecret"]
    assert exchanged["authorization"] is None


async def test_google_is_an_issuer_like_others(api: Api, issuer: Issuer) -> None:
    await configure(api, "google", issuer=issuer.url)
    assert not await refused(api, issuer.token(), "google")
    assert await refused(api, issuer.token(iss="accounts.google.com"), "google")
