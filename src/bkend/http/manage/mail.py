"""`…/email-templates` and `…/outbox`: what mails say, and those that were not sent (51 §8)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.errors import NotFound
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage import fields
from bkend.http.manage.admission import ReadsAuth, Room, UpdatesAuth
from bkend.http.manage.bodies import Body, Page, answer, documented, read_body, read_optional_body
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes import mail as shapes
from bkend.http.manage.shapes.common import Cleared, Deleted, ListOf
from bkend.http.openapi import answers
from bkend.mail.errors import TemplateNotFound

PREFIX = "/manage/v1/projects/{project}/environments/{env}"

router = APIRouter(prefix=PREFIX, tags=["mail"], responses=REFUSALS, route_class=Route)


class MailConfigUpdate(Body):
    """What all mails have in common; null brings a default back."""

    senderEmail: fields.NullableEmail = None
    senderName: fields.SenderName = None
    logoUrl: fields.WebAddress = None
    brandColor: fields.Colour = None
    overrideDefaults: fields.Switch = None
    defaultLocale: fields.MailLocale = None


class Template(Body):
    """A customized template; `body` is HTML."""

    subject: str
    body: str


class Draft(Body):
    """What to preview in place of the stored template."""

    subject: str | None = None
    body: str | None = None


class TestMail(Body):
    """Where to send a test."""

    to: str


@router.get("/email-templates/config", responses=answers(200, shapes.MailConfig))
async def get_config(room: ReadsAuth) -> Response:
    """Sender, logo, colour, and whether customized templates are in force."""
    return answer(await room.services.mail.templates.config())


@router.put(
    "/email-templates/config",
    responses=answers(200, shapes.MailConfig),
    openapi_extra=documented(MailConfigUpdate),
)
async def put_config(room: UpdatesAuth, exchange: CurrentExchange) -> Response:
    """Change what is given of it."""
    body = await read_body(exchange, MailConfigUpdate)
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    return answer(await room.services.mail.templates.update_config(changes))


@router.get("/email-templates", responses=answers(200, ListOf[shapes.EmailTemplate]))
async def list_templates(room: ReadsAuth, page: Page, locale: str | None = None) -> Response:
    """The five templates, in the default language or a given one."""
    templates = room.services.mail.templates
    found = await templates.list(await templates.asked_locale(locale))
    return answer(page.shape(found[page.offset : page.offset + page.limit], len(found)))


@router.get("/email-templates/{id}", responses=answers(200, shapes.EmailTemplate, TemplateNotFound))
async def get_template(id: str, room: ReadsAuth, locale: str | None = None) -> Response:
    """One template: customized, else built-in."""
    templates = room.services.mail.templates
    return answer(await templates.get(id, await templates.asked_locale(locale)))


@router.put(
    "/email-templates/{id}",
    responses=answers(200, shapes.EmailTemplate, TemplateNotFound),
    openapi_extra=documented(Template),
)
async def put_template(
    id: str, room: UpdatesAuth, exchange: CurrentExchange, locale: str | None = None
) -> Response:
    """Customize a template in one language."""
    templates = room.services.mail.templates
    language = await templates.asked_locale(locale)
    await templates.get(id, language)
    body = await read_body(exchange, Template)
    return answer(await templates.update(id, language, body.subject, body.body))


@router.delete("/email-templates/{id}", responses=answers(200, Deleted, TemplateNotFound))
async def reset_template(id: str, room: UpdatesAuth, locale: str | None = None) -> Response:
    """Back to the built-in template, in one language or all."""
    templates = room.services.mail.templates
    await templates.reset(id, None if locale is None else await templates.asked_locale(locale))
    return answer({"deleted": True, "id": id})


@router.post(
    "/email-templates/{id}/preview",
    responses=answers(200, shapes.MailPreview, TemplateNotFound),
    openapi_extra=documented(Draft, optional=True),
)
async def preview_template(
    id: str, room: ReadsAuth, exchange: CurrentExchange, locale: str | None = None
) -> Response:
    """How the template, or the draft in the body, looks with sample values; sends nothing."""
    mail = room.services.mail
    language = await mail.templates.asked_locale(locale)
    await mail.templates.get(id, language)
    draft = await read_optional_body(exchange, Draft)
    shown = await mail.preview(id, language, subject=draft.subject, body=draft.body)
    return answer({"subject": shown.subject, "htmlBody": shown.html, "textBody": shown.text})


@router.post(
    "/email-templates/{id}/send-test",
    responses=answers(200, shapes.TestMailSent, TemplateNotFound, InvalidEmail),
    openapi_extra=documented(TestMail),
)
async def send_test(
    id: str, room: UpdatesAuth, exchange: CurrentExchange, locale: str | None = None
) -> Response:
    """Send the stored template with sample values; without SMTP it goes to the outbox."""
    mail = room.services.mail
    language = await mail.templates.asked_locale(locale)
    await mail.templates.get(id, language)
    to = normalise_email((await read_body(exchange, TestMail)).to)
    operation = await mail.send_test(id, to, language)
    await room.environment.store.commit([operation])
    mail.send_soon()
    return answer({"message": "The test mail is on its way", "to": to})


@router.get("/outbox", responses=answers(200, ListOf[shapes.OutboxMail], NotFound))
async def list_outbox(room: ReadsAuth, page: Page) -> Response:
    """Captured mails, newest first; 404 when mails are delivered."""
    _require_capture(room)
    found, total = await room.services.mail.outbox.readable(page.offset, page.limit)
    return answer(page.shape(found, total))


@router.get("/outbox/{id}", responses=answers(200, shapes.OutboxMail))
async def get_mail(id: str, room: ReadsAuth) -> Response:
    """One captured mail."""
    _require_capture(room)
    found = await room.services.mail.outbox.get(id)
    if found is None:
        raise NotFound(f"There is no captured mail {id[:64]!r}")
    return answer(found)


@router.delete("/outbox", responses=answers(200, Cleared, NotFound))
async def clear_outbox(room: UpdatesAuth) -> Response:
    """Forget the captured mails."""
    _require_capture(room)
    count = await room.services.mail.outbox.clear()
    return answer({"deleted": True, "id": "outbox", "count": count})


def _require_capture(room: Room) -> None:
    if not room.services.mail.captures:
        raise NotFound("Mails are delivered by SMTP; there is no outbox to read")
