from __future__ import annotations

import pytest

from bkend.sealing import Sealer, Unsealable
from bkend.secret import Secret


def test_opens_only_for_its_purpose_and_under_its_secret() -> None:
    sealer = Sealer(Secret(b"x" * 32))
    sealed = sealer.seal("totp:u1", "geheim ☂")
    assert "geheim" not in sealed
    assert sealed.isascii()
    assert sealer.unseal("totp:u1", sealed) == "geheim ☂"
    with pytest.raises(Unsealable):
        sealer.unseal("totp:u2", sealed)
    with pytest.raises(Unsealable):
        Sealer(Secret(b"y" * 32)).unseal("totp:u1", sealed)


def test_equal_texts_are_sealed_differently() -> None:
    sealer = Sealer(Secret(b"x" * 32))
    assert sealer.seal("a", "same") != sealer.seal("a", "same")


@pytest.mark.parametrize("damaged", ["", "v1.", "v1.!!!", "v2.AAAA", "v1.AAAA", "plain", "v1.é"])
def test_damaged_values_are_refused(damaged: str) -> None:
    with pytest.raises(Unsealable):
        Sealer(Secret(b"x" * 32)).unseal("a", damaged)
