"""The passwords that attackers try first (10 §4, `breachCheck`)."""

from __future__ import annotations

from functools import cache


@cache
def _known() -> frozenset[str]:
    # Loaded when first asked: most environments leave the check off.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def is_common(password: str) -> bool:
    """Whether the password, in any case of its letters, is among the bundled ones."""
    return password.lower() in _known()
