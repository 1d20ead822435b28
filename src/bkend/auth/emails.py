"""E-mail addresses: one normal form, and a check that keeps out what no mailbox has (10 §2)."""

from __future__ import annotations

import re
import unicodedata

from bkend.auth.errors import InvalidEmail

_LONGEST = 254
# RFC 5322 dot-atom, letters of any script; no quoted local parts, no address literals.
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LABEL = r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}")


def normalise_email(text: str) -> str:
    """The address trimmed, lower-cased, composed; raises InvalidEmail."""
    address = unicodedata.normalize("NFC", text.strip().lower())
    if len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
        raise InvalidEmail
    return address
