"""The rules for new passwords (10 §4). Sign-in never asks them."""

from __future__ import annotations

from dataclasses import dataclass

from bkend.auth.common_passwords import is_common
from bkend.auth.errors import InvalidPasswordFormat, WeakPassword
from bkend.errors import Detail

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """Lengths count code points; passwords are never trimmed."""

    min_length: int = 8
    max_length: int = 128
    require_uppercase: bool = False
    require_lowercase: bool = False
    require_numbers: bool = False
    require_special_chars: bool = False
    expiration_days: int | None = None
    breach_check: str = "off"
    """`off`, or `list`: refuse the bundled common passwords."""

    def check(self, password: str, field: str = "password") -> None:
        """Raises InvalidPasswordFormat with every rule that the password breaks, and
        WeakPassword."""
        broken: list[tuple[str, str]] = []
        if len(password) < self.min_length:
            broken.append(("minLength", f"must have at least {self.min_length} characters"))
        if len(password) > self.max_length:
            broken.append(("maxLength", f"must have at most {self.max_length} characters"))
        if self.require_uppercase and not any(c.isupper() for c in password):
            broken.append(("requireUppercase", "needs an upper-case letter"))
        if self.require_lowercase and not any(c.islower() for c in password):
            broken.append(("requireLowercase", "needs a lower-case letter"))
        if self.require_numbers and not any(c.isdigit() for c in password):
            broken.append(("requireNumbers", "needs a digit"))
        if self.require_special_chars and all(c.isalnum() or c.isspace() for c in password):
            broken.append(("requireSpecialChars", "needs a special character"))
        if broken:
            details: list[Detail] = [
                {"field": field, "rule": rule, "message": f"{field} {sentence}"}
                for rule, sentence in broken
            ]
            raise InvalidPasswordFormat(details[0]["message"], details=details)
        if self.breach_check == "list" and is_common(password):
            raise WeakPassword

    def is_expired(self, changed_at_ms: int, now_ms: int) -> bool:
        """Whether a password of that age must be reset."""
        if self.expiration_days is None:
            return False
        return now_ms - changed_at_ms > self.expiration_days * _DAY_MS
