"""An issuer of ID tokens whose keys the test holds."""

from __future__ import annotations

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.auth.social.conftest import CLIENT, Scripted

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC = ec.generate_private_key(ec.SECP256R1())
NAMES = iter(range(1_000_000))
_EC = jwt.algorithms.ECAlgorithm


def jwk_of(key: Any, id: str | None, **more: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, RSAPrivateKey) else _EC
    found = dict(algorithm.to_jwk(key.public_key(), as_dict=True))
    return {**found, **({"kid": id} if id else {}), **more}


class Issuer:
    """An issuer on the scripted server, under a path of its own so that nothing is remembered."""

    def __init__(self, scripted: Scripted) -> None:
        self.scripted = scripted
        self.path = f"/issuer{next(NAMES)}"
        self.url = f"{scripted.url}{self.path}"
        self.keys: list[dict[str, Any]] = [jwk_of(RSA, "k1")]
        self.document: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
        }
        self.more: dict[str, Any] = {}
        self.publish()

    def publish(self, **more: Any) -> None:
        self.more |= {f"{self.path}/{name}": planned for name, planned in more.items()}
        self.scripted.plan(
            {
                f"{self.path}/.well-known/openid-configuration": {"body": self.document},
                f"{self.path}/keys": {"body": {"keys": self.keys}},
                **self.more,
            }
        )

    def fetches(self) -> int:
        return len(self.scripted.calls(f"{self.path}/keys"))

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        known = {
            "iss": self.url,
            "sub": "ada",
            "aud": CLIENT["clientId"],
            "iat": now,
            "exp": now + 300,
            "email": "ada@acme.example",
            "email_verified": True,
        }
        return {n: v for n, v in {**known, **changed}.items() if v is not ...}

    def token(self, key: Any = RSA, id: str | None = "k1", **claims: Any) -> str:
        algorithm = "RS256" if isinstance(key, RSAPrivateKey) else "ES256"
        headers = {"kid": id} if id else {}
        return jwt.encode(self.claims(**claims), key, algorithm, headers=headers)
