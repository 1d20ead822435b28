"""The master secrets and the keys derived from them (00 §7, 51 §10)."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from bkend.store import StoreRefused
from bkend.store.documents import format_time, parse_time

_SHORTEST = 32

log = structlog.get_logger(__name__)


class Secret:
    """Derives one independent key per purpose; never shows itself."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._keys: dict[str, bytes] = {}
        self._ring = Ring(self)

    def key(self, purpose: str) -> bytes:
        """32 bytes for a purpose: HMAC-SHA256 of its name under the master secret."""
        held = self._keys.get(purpose)
        if held is None:
            held = hmac.new(self._master, purpose.encode(), hashlib.sha256).digest()
            self._keys[purpose] = held
        return held

    @property
    def fingerprint(self) -> str:
        """Tells secrets apart and gives nothing away: 32 hexadecimal digits."""
        return self.key("fingerprint").hex()[:32]

    def ring(self) -> Ring:
        """A ring of this secret alone."""
        return self._ring

    def refresh(self) -> None:
        """Nothing ever changes."""

    @property
    def text(self) -> str:
        """The secret itself, for the file that keeps it."""
        return self._master.decode()

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Previous:
    """A secret that was replaced."""

    secret: Secret
    until: int | None
    """Until when its signatures are good, in ms since 1970; None as long as it is configured."""

    def signs_at(self, now: int) -> bool:
        """Whether tokens signed with it are still accepted."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Ring:
    """The secret in force and the ones before it, newest first.

    Tokens of the earlier ones are good until their time ends; what they sealed opens as long as
    they are here.
    """

    current: Secret
    previous: tuple[Previous, ...] = ()

    def signing(self, now: int) -> list[Previous]:
        """The earlier secrets whose signatures are good at a time in ms."""
        return [held for held in self.previous if held.signs_at(now)]

    @property
    def all(self) -> Sequence[Secret]:
        """Every secret, the current one first."""
        return [self.current, *(held.secret for held in self.previous)]


class Rings(Protocol):
    """Where the secrets come from: one that never changes (`Secret`), or a file that may."""

    def ring(self) -> Ring:
        """The secrets now; the same object as long as nothing changed."""

    def refresh(self) -> None:
        """Look whether they were changed; cheap."""


class ConfiguredSecrets:
    """The secrets that the settings name."""

    def __init__(self, current: str, previous: str | None) -> None:
        earlier = () if previous is None else (Previous(_configured(previous, "_PREVIOUS"), None),)
        self._ring = Ring(_configured(current), earlier)

    def ring(self) -> Ring:
        """See `Rings`."""
        return self._ring

    def refresh(self) -> None:
        """They change with the settings, at a start."""


class SecretMissing(Exception):
    """There is no secret in the data directory."""


class SecretFile:
    """The file `secret` in the data directory (mode 0600): the secret in force in the first line,
    below it each replaced one with the time until which its signatures are good."""

    def __init__(self, directory: Path, *, make: bool) -> None:
        """Raises SecretMissing unless it may make the file, StoreRefused if it is damaged."""
        self.path = directory / "secret"
        if not self.path.exists():
            if not make:
                raise SecretMissing
            _create(self.path)
        self._seen = self._state()
        self._ring = _parse(self.path)

    def ring(self) -> Ring:
        """See `Rings`."""
        return self._ring

    def refresh(self) -> None:
        """Read the file if it was replaced; one that cannot be read changes nothing."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._ring = _parse(self.path)
        except (OSError, StoreRefused) as error:
            log.error("the master secret cannot be read again", reason=str(error))

    def rotate(self, grace_ms: int, now: int) -> None:
        """Put a new secret in force. Earlier ones sign until the grace time ends, at most."""
        until = now + grace_ms
        with _alone(self.path.parent):
            ring = _parse(self.path)
            replaced = Previous(ring.current, until)
            earlier = [Previous(held.secret, min(held.until or 0, until)) for held in ring.previous]
            new = Secret(secrets.token_hex(32).encode())
            _replace(self.path, Ring(new, (replaced, *earlier)))
        self.refresh()

    def drop_spent(self, as_of: int) -> None:
        """Forget the secrets whose time had ended by then; nothing may be sealed with them."""
        with _alone(self.path.parent):
            ring = _parse(self.path)
            kept = tuple(held for held in ring.previous if held.signs_at(as_of))
            if kept != ring.previous:
                _replace(self.path, Ring(ring.current, kept))
        self.refresh()

    def _state(self) -> tuple[int, int, int] | None:
        """What tells one file from another; None when it is not there."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def load_secret(directory: Path, configured: str | None) -> Secret:
    """The configured secret, else the one in the data directory, made on first use (0600)."""
    if configured is not None:
        return _configured(configured)
    return SecretFile(directory, make=True).ring().current


def _configured(text: str, suffix: str = "") -> Secret:
    if len(text) < _SHORTEST:
        raise StoreRefused(f"BKEND_SECRET{suffix} is shorter than {_SHORTEST} characters")
    return Secret(text.encode())


def _parse(path: Path) -> Ring:
    try:
        first, *others = path.read_text().strip().split("\n")
        current = _readable(first)
        previous = []
        for line in others:
            text, until = line.split()
            previous.append(Previous(_readable(text), parse_time(until)))
    except ValueError:
        raise StoreRefused(
            f"{path} is damaged; restore it from a backup, "
            f"or move it away and run `bkend secrets accept-loss`"
        ) from None
    return Ring(current, tuple(previous))


def _readable(text: str) -> Secret:
    if len(text.strip()) < _SHORTEST:
        raise ValueError
    return Secret(text.strip().encode())


def _create(path: Path) -> None:
    """Write a new secret whole or not at all; the first of two processes wins."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreRefused(
            f"cannot make {path.parent} for the master secret: {error.strerror}; "
            f"name another with --data, or set BKEND_SECRET"
        ) from error
    draft = _draft(path, secrets.token_hex(32) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    draft.unlink()


def _replace(path: Path, ring: Ring) -> None:
    """Write the secrets whole or not at all, durably."""
    lines = [ring.current.text]
    lines += [f"{held.secret.text} {format_time(held.until or 0)}" for held in ring.previous]
    os.replace(_draft(path, "\n".join(lines) + "\n"), path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".secret-{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keeps apart the processes that replace the file."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
