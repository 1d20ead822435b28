"""A mail of the outbox as a message: headers, plain text and HTML (RFC 5322, RFC 3834)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from bkend.mail.variables import one_line


def build_message(mail: Mapping[str, Any], now_ms: int, host: str) -> EmailMessage:
    """The message. Its id is the mail's, so that a mail that arrives twice can be told.

    `host` is the server's public name, for the id and, without a sender of one's own, the sender.
    Raises ValueError for an address that no header can hold.
    """
    message = EmailMessage(policy=SMTP)
    message["Subject"] = one_line(mail["subject"])
    message["From"] = _address(
        mail.get("fromEmail") or f"no-reply@{host}", one_line(mail.get("fromName") or "")
    )
    message["To"] = _address(mail["to"])
    message["Date"] = format_datetime(datetime.fromtimestamp(now_ms // 1000, UTC))
    message["Message-ID"] = f"<{mail['id']}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["Content-Language"] = mail.get("locale") or "en"
    message.set_content(mail["text"], cte="quoted-printable")
    message.add_alternative(mail["html"], subtype="html", cte="quoted-printable")
    return message


def public_host(public_url: str | None) -> str:
    """The name in the server's public address; `localhost` where it has none."""
    host = (urlsplit(public_url).hostname if public_url else None) or "localhost"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _ascii(host)
    return "localhost"


def _address(address: str, name: str = "") -> Address:
    local, at, domain = address.rpartition("@")
    if not local or not at or any(c.isspace() or not c.isprintable() for c in address):
        raise ValueError("not an e-mail address")
    return Address(display_name=name, username=local, domain=_ascii(domain))


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain
