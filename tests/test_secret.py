"""The file that holds the master secret, and the ones before it."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bkend.sealing import Sealer, Unsealable
from bkend.secret import ConfiguredSecrets, SecretFile, SecretMissing, load_secret
from bkend.store import StoreRefused

NOW = 1_800_000_000_000
HOUR = 3_600_000


def test_file_is_made_once_and_only_when_allowed(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing):
        SecretFile(tmp_path, make=False)
    assert not (tmp_path / "secret").exists()
    made = SecretFile(tmp_path, make=True).ring().current
    assert SecretFile(tmp_path, make=False).ring().current.fingerprint == made.fingerprint
    assert load_secret(tmp_path, None).key("jwt") == made.key("jwt")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_fingerprint_gives_no_key_away(tmp_path: Path) -> None:
    secret = SecretFile(tmp_path, make=True).ring().current
    assert secret.fingerprint not in secret.text
    assert secret.fingerprint not in secret.key("jwt").hex()
    assert repr(secret) == "Secret(…)"
    assert secret.text not in repr(SecretFile(tmp_path, make=False).ring())


def test_rotation_keeps_the_old_one_until_its_time_ends(tmp_path: Path) -> None:
    file = SecretFile(tmp_path, make=True)
    old = file.ring().current
    file.rotate(HOUR, NOW)
    ring = file.ring()
    assert ring.current.fingerprint != old.fingerprint
    assert [held.secret.fingerprint for held in ring.signing(NOW)] == [old.fingerprint]
    assert ring.signing(NOW + HOUR - 1)
    assert not ring.signing(NOW + HOUR)
    assert [secret.fingerprint for secret in ring.all][1] == old.fingerprint
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["secret"]


def test_shorter_grace_time_holds_for_earlier_ones_too(tmp_path: Path) -> None:
    file = SecretFile(tmp_path, make=True)
    file.rotate(24 * HOUR, NOW)
    file.rotate(0, NOW)
    assert len(file.ring().previous) == 2
    assert not file.ring().signing(NOW)


def test_longer_grace_time_prolongs_no_earlier_one(tmp_path: Path) -> None:
    file = SecretFile(tmp_path, make=True)
    first = file.ring().current.fingerprint
    file.rotate(HOUR, NOW)
    file.rotate(24 * HOUR, NOW)
    good = [held.secret.fingerprint for held in file.ring().signing(NOW + 2 * HOUR)]
    assert len(good) == 1
    assert first not in good


def test_only_those_whose_time_is_over_are_dropped(tmp_path: Path) -> None:
    file = SecretFile(tmp_path, make=True)
    file.rotate(HOUR, NOW)
    file.rotate(3 * HOUR, NOW)
    file.drop_spent(NOW)
    assert len(file.ring().previous) == 2
    file.drop_spent(NOW + 2 * HOUR)
    assert len(file.ring().previous) == 1
    file.drop_spent(NOW + 3 * HOUR)
    assert file.path.read_text() == file.ring().current.text + "\n"


def test_another_process_notices_a_rotation(tmp_path: Path) -> None:
    one, other = SecretFile(tmp_path, make=True), SecretFile(tmp_path, make=False)
    held = other.ring()
    other.refresh()
    assert other.ring() is held
    one.rotate(HOUR, NOW)
    assert other.ring() is held
    other.refresh()
    assert other.ring().current.fingerprint == one.ring().current.fingerprint


@pytest.mark.parametrize("damage", ["", "short\n", None])
def test_file_damaged_meanwhile_changes_nothing(tmp_path: Path, damage: str | None) -> None:
    file = SecretFile(tmp_path, make=True)
    held = file.ring()
    file.path.unlink() if damage is None else file.path.write_text(damage)
    with capture_logs() as logs:
        for _ in range(3):
            file.refresh()
    assert file.ring() is held
    assert [line["log_level"] for line in logs] == ["error"]  # said once


@pytest.mark.parametrize(
    "damage", [b"", b"short", b"\xff" * 64, b"x" * 64 + b"\nnonsense", b"x" * 64 + b"\ny 2026"]
)
def test_damaged_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "secret").write_bytes(damage)
    with pytest.raises(StoreRefused, match="accept-loss"):
        SecretFile(tmp_path, make=True)


def test_rotations_at_the_same_moment_lose_none(tmp_path: Path) -> None:
    SecretFile(tmp_path, make=True)
    files = [SecretFile(tmp_path, make=False) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda file: file.rotate(HOUR, NOW), files))
    ring = SecretFile(tmp_path, make=False).ring()
    assert len({secret.fingerprint for secret in ring.all}) == 9


# -- sealed values --------------------------------------------------------------------------------


def test_values_of_the_old_secret_open_and_are_sealed_anew(tmp_path: Path) -> None:
    file = SecretFile(tmp_path, make=True)
    sealer = Sealer(file)
    sealed = sealer.seal("totp:u1", "text")
    assert sealer.resealed("totp:u1", sealed) is None
    file.rotate(0, NOW)
    assert sealer.unseal("totp:u1", sealed) == "text"  # its signatures are refused already
    renewed = sealer.resealed("totp:u1", sealed)
    assert renewed is not None
    file.drop_spent(NOW)
    assert sealer.unseal("totp:u1", renewed) == "text"
    with pytest.raises(Unsealable):
        sealer.unseal("totp:u1", sealed)
    with pytest.raises(Unsealable):
        sealer.resealed("totp:u1", sealed)


def test_configured_secrets_are_two_at_most() -> None:
    before = ConfiguredSecrets("a" * 32, None)
    sealed = Sealer(before).seal("x", "text")
    after = ConfiguredSecrets("b" * 32, "a" * 32)
    assert Sealer(after).unseal("x", sealed) == "text"
    assert after.ring().signing(NOW)
    with pytest.raises(StoreRefused, match="BKEND_SECRET_PREVIOUS is shorter"):
        ConfiguredSecrets("b" * 32, "short")
