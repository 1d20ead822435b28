"""`bkend login`: a program shows a code, a person approves it in the browser (51 §7; after RFC
8628). The program's own code is stored as a digest; the token is made when it is fetched."""

from __future__ import annotations

import secrets
from typing import Any

import orjson

from bkend.auth.sessions import Client
from bkend.errors import NotFound
from bkend.store import (
    Compare,
    Conflict,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Operation,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time, parse_time
from bkend.tenants.collections import DEVICE_CODES
from bkend.tenants.errors import AuthorizationPending, DeviceDenied, DeviceExpired, SlowDown
from bkend.tenants.links import digest
from bkend.tenants.lockout import DEVICES, origin
from bkend.tenants.parts import Parts
from bkend.tenants.tokens import Tokens, Wanted

LIFETIME_S = 600
INTERVAL_S = 5
TOKEN_DAYS = 90
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8
_LONGEST_NAME = 60
_DAY_MS = 24 * 60 * 60 * 1000
_EARLY_MS = 500
"""How much too early a call may come: clocks and networks are not exact."""


class Devices:
    """Codes of programs that wait to be let in."""

    def __init__(self, parts: Parts, tokens: Tokens) -> None:
        self._parts = parts
        self._tokens = tokens

    async def authorize(self, name: str, client: Client, base: str) -> dict[str, Any]:
        """Begin, at a server whose address is `base`: `{deviceCode, userCode, verificationUri,
        verificationUriComplete, expiresIn, interval}`, the last two in seconds.

        Raises TooManyAttempts.
        """
        parts = self._parts
        await parts.buckets.take(DEVICES, origin(client.ip_address))
        secret, now = secrets.token_urlsafe(32), parts.clock.now_ms()
        name = " ".join(c for c in name.split() if c.isprintable())[:_LONGEST_NAME]
        page = f"{base}/console/device"
        while True:
            code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
            fields = {
                "userCode": code,
                "name": name or "Command line",
                "ip": client.ip_address or None,
                "userAgent": (client.user_agent or "")[:512] or None,
                "status": "pending",
                "accountId": None,
                "organizationId": None,
                "expiresAt": format_time(now + LIFETIME_S * 1000),
                "polledAt": 0,
            }
            try:
                await parts.store.commit([Insert(DEVICE_CODES, digest(secret), fields, now, now)])
            except Duplicate:
                continue
            shown = f"{code[:4]}-{code[4:]}"
            return {
                "deviceCode": secret,
                "userCode": shown,
                "verificationUri": page,
                "verificationUriComplete": f"{page}?code={shown}",
                "expiresIn": LIFETIME_S,
                "interval": INTERVAL_S,
            }

    async def fetch(self, device_code: str, client: Client) -> dict[str, Any]:
        """The token, once, as `Tokens.create` gives it.

        Raises AuthorizationPending, SlowDown, DeviceDenied, DeviceExpired, and what
        `Tokens.create` raises.
        """
        parts, id = self._parts, digest(device_code)
        body = await parts.store.get(DEVICE_CODES, id)
        held = decode(body) if body else None
        now = parts.clock.now_ms()
        if held is None or parse_time(held["expiresAt"]) <= now:
            raise DeviceExpired
        if held["status"] == "pending":
            is_early = now - held["polledAt"] < INTERVAL_S * 1000 - _EARLY_MS
            try:
                await parts.store.commit([Update(DEVICE_CODES, id, set={"polledAt": now})])
            except Missing:
                raise DeviceExpired from None
            raise SlowDown if is_early else AuthorizationPending
        account = await parts.accounts.get(held["accountId"] or "")
        is_good = account is not None and account["status"] == "active"
        try:
            if account is None or not is_good or held["status"] == "denied":
                await parts.store.commit([Delete(DEVICE_CODES, id)])
                raise DeviceDenied
            wanted = Wanted(
                held["name"],
                held["organizationId"],
                expires_at=format_time(now + TOKEN_DAYS * _DAY_MS),
            )
            return await self._tokens.create(account, wanted, client, Delete(DEVICE_CODES, id))
        except Missing:  # fetched at this moment from elsewhere
            raise DeviceExpired from None

    async def show(self, user_code: str) -> dict[str, Any]:
        """What is asked for under a code that is open; raises NotFound."""
        held = await self._open(user_code)
        code = held["userCode"]
        return {
            "userCode": f"{code[:4]}-{code[4:]}",
            "name": held["name"],
            "ip": held["ip"],
            "userAgent": held["userAgent"],
            "createdAt": held["createdAt"],
            "expiresAt": held["expiresAt"],
        }

    async def approve(self, user_code: str, account_id: str, organization_id: str | None) -> str:
        """Let the program in, in the account's name; the organization that its token is for.

        Raises NotFound, InvalidParameters (which organization), Forbidden.
        """
        held = await self._open(user_code)
        organization = await self._tokens.organization(account_id, organization_id)
        fields = {"status": "approved", "accountId": account_id, "organizationId": organization}
        await self._answer(held, fields)
        return organization

    async def deny(self, user_code: str) -> None:
        """Keep the program out; raises NotFound."""
        await self._answer(await self._open(user_code), {"status": "denied"})

    def drop_expired(self) -> Operation:
        """The operation that removes codes whose time has passed."""
        now = format_time(self._parts.clock.now_ms())
        return DeleteWhere(DEVICE_CODES, Compare(("expiresAt",), "lte", now))

    async def _open(self, user_code: str) -> dict[str, Any]:
        code = user_code.upper().replace("-", "").replace(" ", "")
        now = format_time(self._parts.clock.now_ms())
        where = all_of(
            Equals(("userCode",), code[: _LENGTH + 1]),
            Equals(("status",), "pending"),
            Compare(("expiresAt",), "gt", now),
        )
        page = await self._parts.store.find(Find(DEVICE_CODES, where, limit=1))
        for held in orjson.loads(page.items):
            found: dict[str, Any] = held
            return found
        raise NotFound("There is no such code, or it has expired")

    async def _answer(self, held: dict[str, Any], fields: dict[str, Any]) -> None:
        pending = Equals(("status",), "pending")
        try:
            await self._parts.store.commit(
                [Update(DEVICE_CODES, held["id"], set=fields, guard=pending)]
            )
        except (Conflict, Missing):
            raise NotFound("There is no such code, or it has expired") from None
