"""Hosted pages for mailed links, where the app has none of its own (10 §14).

They need no key: the environment is named by the link, and its token is checked there. A GET
uses nothing up, so that a mail scanner does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bkend.auth.errors import InvalidPasswordFormat, SameAsPreviousPassword, WeakPassword
from bkend.auth.links.addresses import INVITATION_PAGE, RESET_PAGE
from bkend.auth.links.environments import services_of
from bkend.auth.links.errors import (
    InvitationAlreadyAccepted,
    InvitationExpired,
    VerificationTokenExpired,
)
from bkend.auth.links.layout import hidden, outcome, page
from bkend.auth.links.shapes import Invitation
from bkend.auth.links.tokens import environment_of
from bkend.auth.links.wording import RULES, Wording, wording_for
from bkend.auth.policy import PasswordPolicy
from bkend.environment import EnvironmentServices
from bkend.errors import ApiError
from bkend.http.exchange import Exchange

_MOST_FIELDS = 10
_EXPIRED = (VerificationTokenExpired, InvitationExpired)


# -- new password ---------------------------------------------------------------------------------


async def _reset(request: Request) -> Response:
    wording = _wording(request)
    fields = await _fields(request)
    token, email = fields.get("token", ""), fields.get("email", "")
    try:
        services = await services_of(request, environment_of(token))
    except ApiError as error:
        return _refused(wording, error)
    if services is None:
        return outcome(wording, wording.invalid, wording.invalid_lead, status=404)
    settings = await services.links.settings.current()
    project = _project(request)
    problem = ""
    try:
        await services.links.resets.find(email, token)
        if request.method == "POST":
            password = fields.get("newPassword", "")
            if password != fields.get("repeated", password):
                problem = wording.differ
            else:
                await services.links.resets.confirm(email, token, password)
                lead = wording.reset_done_lead.format(project=project)
                site = settings.site_url
                return outcome(wording, wording.reset_done, lead, project, good=True, site=site)
    except (InvalidPasswordFormat, WeakPassword, SameAsPreviousPassword) as error:
        problem = _password_problem(wording, error, settings.password_policy)
    except ApiError as error:
        return _refused(wording, error, project)
    content = _reset_form(wording, email, token, settings.password_policy, problem)
    return page(wording, wording.reset_title, content, project, 400 if problem else 200)


def _reset_form(
    wording: Wording, email: str, token: str, policy: PasswordPolicy, problem: str
) -> str:
    shown = f'<p class="error" id="problem" role="alert">{escape(problem)}</p>' if problem else ""
    hint = wording.short.format(count=policy.min_length)
    rule = f'<p class="hint" id="hint">{escape(hint)}</p>' if hint != problem else ""
    described = "hint" if rule else "problem"
    box = (
        f'type="password" required autocomplete="new-password" maxlength="{policy.max_length}" '
        f'minlength="{policy.min_length}"'
    )
    return (
        f"<h1>{escape(wording.reset_title)}</h1>"
        f'<p class="lead">{escape(wording.reset_lead.format(email=email.strip()))}</p>{shown}'
        f'<form method="post" action="{RESET_PAGE}">{hidden(token=token, email=email)}'
        f'<input type="text" name="username" value="{escape(email)}" autocomplete="username" '
        "hidden readonly>"
        f'<label for="new">{escape(wording.first_label)}</label>'
        f'<input id="new" name="newPassword" {box} autofocus aria-describedby="{described}">{rule}'
        f'<label for="again">{escape(wording.second_label)}</label>'
        f'<input id="again" name="repeated" {box}>'
        f'<button type="submit">{escape(wording.save)}</button></form>'
    )


def _password_problem(wording: Wording, error: ApiError, policy: PasswordPolicy) -> str:
    if isinstance(error, SameAsPreviousPassword):
        return wording.same
    if isinstance(error, WeakPassword):
        return wording.weak
    broken = [detail.get("rule", "") for detail in error.details]
    if "minLength" in broken:
        return wording.short.format(count=policy.min_length)
    if "maxLength" in broken:
        return wording.long.format(count=policy.max_length)
    return wording.rules.format(rules=", ".join(RULES[rule][wording.language] for rule in broken))


# -- invitations ----------------------------------------------------------------------------------


async def _invitation(request: Request) -> Response:
    wording = _wording(request)
    fields = await _fields(request)
    try:
        services = await services_of(request, fields.get("environment", ""))
        if services is None:
            return outcome(wording, wording.invalid, wording.invalid_lead, status=404)
        return await _answered(request, wording, fields, services)
    except ApiError as error:
        return _refused(wording, error, _project(request))


async def _answered(
    request: Request, wording: Wording, fields: Mapping[str, str], services: EnvironmentServices
) -> Response:
    token, email = fields.get("token", ""), fields.get("email", "")
    invitations, project = services.links.invitations, _project(request)
    answer = fields.get("answer") if request.method == "POST" else None
    if answer == "accept":
        accepted = await invitations.accept(token, email)
        title = wording.accepted.format(resource=accepted["resourceName"])
        lead = wording.accepted_lead.format(project=project)
        site = (await services.links.settings.current()).site_url
        return outcome(wording, title, lead, project, good=True, site=site)
    if answer == "decline":
        await invitations.reject(token, email)
        return outcome(wording, wording.declined, wording.declined_lead, project, good=True)
    found = await invitations.preview(token)
    title = wording.invitation_title.format(resource=found["resourceName"])
    return page(wording, title, _invitation_form(wording, title, found, fields), project)


def _invitation_form(
    wording: Wording, title: str, found: Invitation, fields: Mapping[str, str]
) -> str:
    inviter = found["inviterName"]
    lead = wording.invited.format(name=found["name"])
    if inviter:
        lead = wording.invited_by.format(inviter=inviter, name=found["name"])
    rows = (
        (wording.address, found["email"]),
        (wording.role, found["resourceRole"]),
        (wording.valid_until, found["expiresAt"][:16].replace("T", " ") + " UTC"),
    )
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    kept = {name: fields.get(name, "") for name in ("token", "email", "environment")}
    return (
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p><dl>{listed}</dl>'
        f'<form method="post" action="{INVITATION_PAGE}">{hidden(**kept)}<div class="two">'
        f'<button class="quiet" name="answer" value="decline">{escape(wording.decline)}</button>'
        f'<button name="answer" value="accept">{escape(wording.accept)}</button></div></form>'
    )


# -- both -----------------------------------------------------------------------------------------


def _refused(wording: Wording, error: ApiError, project: str = "") -> Response:
    """The refusal as a page; faults of the server are answered as everywhere."""
    if error.status >= 500:
        raise error
    title, lead = wording.invalid, wording.invalid_lead
    if isinstance(error, _EXPIRED):
        title, lead = wording.expired, wording.expired_lead
    elif isinstance(error, InvitationAlreadyAccepted):
        title = wording.already_accepted
        lead = wording.already_accepted_lead.format(project=project)
    return outcome(wording, title, lead, project, status=error.status)


async def _fields(request: Request) -> dict[str, str]:
    """The form of a POST, else the query; of a repeated field the first."""
    exchange: Exchange = request.scope["bkend.exchange"]
    text = request.scope["query_string"]
    if request.method == "POST":
        text = await exchange.body()
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:  # not UTF-8, or too many fields
        return {}
    return dict(reversed(pairs))


def _project(request: Request) -> str:
    exchange: Exchange = request.scope["bkend.exchange"]
    return exchange.environment.state.project.name if exchange.environment else ""


def _wording(request: Request) -> Wording:
    return wording_for(request.headers.get("accept-language", ""))


routes = [
    Route(RESET_PAGE, _reset, methods=["GET", "POST"]),
    Route(INVITATION_PAGE, _invitation, methods=["GET", "POST"]),
]
