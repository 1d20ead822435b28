"""The master secret and the keys derived from it (00 §7, 51 §10)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from bkend.store import StoreRefused

_SHORTEST = 32


class Secret:
    """Derives one independent key per purpose; never shows itself."""

    def __init__(self, master: bytes) -> None:
        self._master = master

    def key(self, purpose: str) -> bytes:
        """32 bytes for a purpose: HMAC-SHA256 of its name under the master secret."""
        return hmac.new(self._master, purpose.encode(), hashlib.sha256).digest()

    def __repr__(self) -> str:
        return "Secret(…)"


def load_secret(directory: Path, configured: str | None) -> Secret:
    """The configured secret, else the one in the data directory, made on first use (0600)."""
    if configured is not None:
        if len(configured) < _SHORTEST:
            raise StoreRefused(f"BKEND_SECRET is shorter than {_SHORTEST} characters")
        return Secret(configured.encode())
    path = directory / "secret"
    if not path.exists():
        _create(path)
    held = path.read_text().strip()
    if len(held) < _SHORTEST:
        raise StoreRefused(
            f"{path} is damaged; restore it from a backup (without it everybody must sign in again)"
        )
    return Secret(held.encode())


def _create(path: Path) -> None:
    """Write a new secret whole or not at all; the first of two processes wins."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreRefused(
            f"cannot make {path.parent} for the master secret: {error.strerror}; "
            f"name another with --data, or set BKEND_SECRET"
        ) from error
    draft = path.with_name(f".secret-{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    draft.unlink()
