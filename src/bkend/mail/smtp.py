"""A connection to the mail server, and what its answers mean for a mail."""

from __future__ import annotations

import re
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import SMTP

from bkend.mail.smtp_url import SmtpAddress

_START_TLS = {"implicit": False, "required": True, "offered": None, "off": False}
# The server wants something of us, not of this mail: signing in, encryption.
_OURS = frozenset({454, 530, 534, 535, 538})
_LONGEST_REASON, _LONGEST_ANSWER = 200, 1000
_TELLING = re.compile(r"\S*://\S+|\S+@\S+|[\w-]{24,}")


class ServerProblem(Exception):
    """The mail server cannot be used right now; the message is fit for a log."""


class MailRefused(Exception):
    """The server does not take this mail; the message is fit for a log."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Connection:
    """One connection, opened with the first mail."""

    def __init__(self, address: SmtpAddress, name: str) -> None:
        self._client = SMTP(
            hostname=address.host,
            port=address.port,
            username=address.username,
            password=address.password,
            local_hostname=name,
            timeout=address.timeout,
            use_tls=address.tls == "implicit",
            start_tls=_START_TLS[address.tls],
            validate_certs=address.verify,
            cert_bundle=address.ca,
        )

    async def open(self) -> None:
        """Connect and sign in. Raises ServerProblem."""
        try:
            await self._client.connect()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise ServerProblem(_reason(error)) from None

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand over one mail. Raises ServerProblem, MailRefused."""
        if not self._client.is_connected:
            await self.open()
        try:
            await self._client.send_message(message, sender=sender, recipients=[recipient])
        except aiosmtplib.SMTPRecipientsRefused as error:
            await self._reset()
            raise _refusal(error.recipients[0]) from None
        except aiosmtplib.SMTPResponseException as error:
            await self._reset()
            raise _refusal(error) from None
        except (aiosmtplib.SMTPNotSupported, ValueError) as error:
            await self._reset()
            raise MailRefused(_reason(error), permanent=True) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            self._client.close()
            raise ServerProblem(_reason(error)) from None

    async def close(self) -> None:
        """Take leave, without insisting."""
        if self._client.is_connected:
            try:
                await self._client.quit(timeout=2)
            except (aiosmtplib.SMTPException, OSError):
                pass
        self._client.close()

    async def _reset(self) -> None:
        """Make the connection fit for the next mail, or drop it."""
        try:
            if self._client.is_connected:
                await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()


def _refusal(error: aiosmtplib.SMTPResponseException) -> Exception:
    reason = clean_reason(f"{error.code} {error.message}")
    if error.code in _OURS or error.code == 421:
        return ServerProblem(reason)
    return MailRefused(reason, permanent=500 <= error.code < 600)


def _reason(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return clean_reason(f"{error.code} {error.message}")
    return clean_reason(str(error) or type(error).__name__)


def clean_reason(text: str) -> str:
    """One short line without addresses, links and anything that may be a token: servers repeat
    what they refuse."""
    text = text[:_LONGEST_ANSWER]
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _TELLING.sub("…", line)[:_LONGEST_REASON]
