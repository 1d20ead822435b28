"""Whether mails leave the house."""

from __future__ import annotations

from bkend.doctor.findings import Finding, ok, problem, warning
from bkend.doctor.patient import Patient
from bkend.mail.message import public_host
from bkend.mail.smtp_url import parse_smtp_url


async def look(patient: Patient) -> Finding:
    """A connection to the mail server, signed in; nothing is sent."""
    settings = patient.settings
    if settings.smtp_url is None:
        return warning(
            "no mail server is configured: mails stay in the outbox",
            "set BKEND_SMTP_URL before users depend on mails; until then, `bkend outbox`",
        )
    from bkend.mail.smtp import Connection, ServerProblem

    address = parse_smtp_url(settings.smtp_url)
    connection = Connection(address, public_host(settings.public_url))
    try:
        await connection.open()
    except ServerProblem as error:
        return problem(
            f"the mail server {address.host}:{address.port} cannot be used: {error}",
            "check BKEND_SMTP_URL; mails wait meanwhile and are tried again",
        )
    finally:
        await connection.close()
    return ok(f"the mail server {address.host}:{address.port} lets us in")
