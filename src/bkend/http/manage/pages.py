"""Plain pages of the server itself: set-up, sign-in, mailed links, `bkend login` (50 §2, §4).

They come after the console's own in the order of routes and need no script. A GET uses nothing
up, so that a mail scanner does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import TypeAlias
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bkend.auth.links.layout import hidden, outcome, page
from bkend.auth.links.wording import ENGLISH
from bkend.auth.mfa.errors import MfaRequired
from bkend.auth.sessions import Client
from bkend.core import Core
from bkend.errors import ApiError, NotFound
from bkend.http.dependencies import current_client, exchange_of
from bkend.http.manage.cookies import own_path, require_own_page, visitor, with_session
from bkend.http.manage.setup import needs_token
from bkend.tenants.accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD
from bkend.tenants.errors import CsrfFailed
from bkend.tenants.service import SignedIn
from bkend.tenants.setup import Named, Person

Fields: TypeAlias = Mapping[str, str]
Page: TypeAlias = Callable[[Request, Core, Fields], Awaitable[Response]]

SETUP, LOGIN, DEVICE = "/console/setup", "/console/login", "/console/device"
MAGIC, RESET, VERIFY = "/console/magic", "/console/reset", "/console/verify"
_MOST_FIELDS = 12


async def _setup(request: Request, core: Core, fields: Fields) -> Response:
    if not await core.tenants.setup.required():
        return RedirectResponse(LOGIN, 303)
    if request.method == "POST":
        project = fields.get("project", "").strip()
        made = await core.tenants.setup.set_up(
            fields.get("token"),
            Person(fields.get("name", ""), fields.get("email", ""), fields.get("password", "")),
            Named(fields.get("organization", "").strip()),
            Named(project) if project else None,
            await _client(request),
            trusted=not needs_token(request),
        )
        lead = f"You own {made.organization['name']}. Log in from the command line with bkend login"
        response = outcome(ENGLISH, "This server is set up", f"{lead}.", good=True)
        return with_session(response, request, made.session)
    return _form("Set up this server", SETUP, _setup_form(request, fields), fields)


def _setup_form(request: Request, fields: Fields) -> str:
    token = hidden(token=fields.get("token", ""))
    if needs_token(request) and not fields.get("token"):
        token = _box("Set-up token", "token", fields, hint="The server prints it when it starts.")
    return (
        token
        + _box("Your name", "name", fields, autocomplete="name")
        + _box("E-mail", "email", fields, type="email", autocomplete="username")
        + _new_password("password")
        + _box("Organization", "organization", fields, autocomplete="organization")
        + '<button type="submit">Create account</button>'
    )


async def _login(request: Request, core: Core, fields: Fields) -> Response:
    onward = own_path(fields.get("next", ""))
    if request.method == "POST":
        email = fields.get("email", "")
        if fields.get("how") == "link":
            await core.tenants.signing_in.request_link(email)
            lead = "If there is an account with this address, a link is on its way."
            return outcome(ENGLISH, "Look into your mailbox", lead, good=True)
        if fields.get("how") == "reset":
            await core.tenants.recovery.request_reset(email)
            lead = "If there is an account with this address, a link is on its way."
            return outcome(ENGLISH, "Look into your mailbox", lead, good=True)
        session = await core.tenants.signing_in.with_password(
            email, fields.get("password", ""), fields.get("code") or None, await _client(request)
        )
        return with_session(RedirectResponse(onward, 303), request, session)
    if fields.get("error"):  # a provider's sign-in, which came back without anybody
        lead = "Signing in there did not work, or no account may be made here. Try another way."
        fields = {**fields, "problem": lead}
    return _form("Sign in", LOGIN, _login_form(core, fields, onward), fields)


def _login_form(core: Core, fields: Fields, onward: str) -> str:
    code = ""
    if fields.get("problem-code") == MfaRequired.code or fields.get("code"):
        code = _box("Code of your authenticator app", "code", {}, autocomplete="one-time-code")
    return (
        hidden(next=onward)
        + _box("E-mail", "email", fields, type="email", autocomplete="username")
        + '<label for="password">Password</label><input id="password" name="password" '
        'type="password" autocomplete="current-password">'
        + code
        + '<button type="submit">Sign in</button><p class="lead"></p><div class="two">'
        '<button class="quiet" name="how" value="link" type="submit">Send login link</button>'
        '<button class="quiet" name="how" value="reset" type="submit">Forgot password?</button>'
        "</div>"
        + "".join(
            f'<p class="lead"></p><a class="button" href="/manage/v1/session/oauth/{name}?'
            f'next={quote(onward, safe="")}">Continue with {label}</a>'
            for name, label in (("google", "Google"), ("github", "GitHub"))
            if name in core.tenants.providers.names
        )
    )


async def _magic(request: Request, core: Core, fields: Fields) -> Response:
    token = fields.get("token", "")
    if request.method == "POST":
        session = await core.tenants.signing_in.with_link(
            token, fields.get("code") or None, await _client(request)
        )
        return with_session(RedirectResponse("/console/", 303), request, session)
    await core.tenants.parts.links.find("magic", token)
    content = hidden(token=token)
    if fields.get("problem-code") == MfaRequired.code or fields.get("code"):
        content += _box("Code of your authenticator app", "code", {}, autocomplete="one-time-code")
    return _form("Sign in", MAGIC, content + '<button type="submit">Sign in</button>', fields)


async def _reset(request: Request, core: Core, fields: Fields) -> Response:
    token = fields.get("token", "")
    if request.method == "POST":
        await core.tenants.recovery.reset(
            token, fields.get("newPassword", ""), await _client(request)
        )
        lead = "You were signed out everywhere. Sign in with the new password."
        return outcome(ENGLISH, "Your password was changed", lead, good=True, site=LOGIN)
    await core.tenants.parts.links.find("reset", token)
    content = hidden(token=token) + _new_password("newPassword")
    button = '<button type="submit">Save password</button>'
    return _form("Choose a new password", RESET, content + button, fields)


async def _verify(request: Request, core: Core, fields: Fields) -> Response:
    token = fields.get("token", "")
    if request.method == "POST":
        account = await core.tenants.recovery.verify(token)
        return outcome(ENGLISH, "Thank you", f"{account['email']} is verified.", good=True)
    await core.tenants.parts.links.find("verify", token)
    button = '<button type="submit">Verify my address</button>'
    return _form("Verify your e-mail address", VERIFY, hidden(token=token) + button, fields)


async def _device(request: Request, core: Core, fields: Fields) -> Response:
    code = fields.get("code", "")
    found = await visitor(request)
    if found is None:
        return RedirectResponse(f"{LOGIN}?next={quote(f'{DEVICE}?code={code}', safe='')}", 303)
    devices = core.tenants.devices
    if request.method == "POST" and fields.get("answer"):
        if not found.session.accepts(fields.get("csrf")):
            raise CsrfFailed
        if fields["answer"] == "deny":
            await devices.deny(code)
            return outcome(ENGLISH, "Denied", "The program gets no access.", good=True)
        await devices.approve(code, found.account["id"], fields.get("organization") or None)
        return outcome(ENGLISH, "Approved", "You can close this page.", good=True)
    if not code:
        content = _box("Code", "code", fields, hint="The command line shows it.")
        button = '<button type="submit">Go on</button>'
        return _form("Log a program in", DEVICE, content + button, fields)
    return await _device_form(core, found, fields)


async def _device_form(core: Core, found: SignedIn, fields: Fields) -> Response:
    try:
        asked = await core.tenants.devices.show(fields["code"])
    except NotFound:
        lead = "Begin again with bkend login."
        return outcome(ENGLISH, "This code has expired or was used", lead, status=404)
    rows = (
        ("Code", asked["userCode"]),
        ("Program", asked["name"]),
        ("From", asked["ip"] or "unknown"),
        ("As", found.account["email"]),
    )
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    content = (
        '<p class="lead">It will do what you may do in the organization. Approve only if you '
        f"have just run bkend login and it shows this code.</p><dl>{listed}</dl>"
        f"{hidden(code=asked['userCode'], csrf=found.session.csrf)}"
        f'{await _organizations(core, found)}<div class="two">'
        '<button class="quiet" name="answer" value="deny">Deny</button>'
        '<button name="answer" value="approve">Approve</button></div>'
    )
    return _form("Log a program in", DEVICE, content, fields)


async def _organizations(core: Core, found: SignedIn) -> str:
    """A choice, for members of several."""
    mine = await core.tenants.tokens.choices(found.account["id"])
    if len(mine) < 2:
        return ""
    options = "".join(
        f'<option value="{escape(id)}">{escape(name)}</option>' for id, name in mine.items()
    )
    return (
        '<label for="organization">Organization</label>'
        f'<select class="box" id="organization" name="organization">{options}</select>'
    )


# -- all pages ------------------------------------------------------------------------------------


def _page(show: Page) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a page: a refusal is shown above its form, or in place of it."""

    async def endpoint(request: Request) -> Response:
        core: Core = request.app.state.core
        fields = await _fields(request)
        try:
            if request.method == "POST":
                require_own_page(request)
            return await show(request, core, fields)
        except ApiError as error:
            if error.status >= 500:
                raise
            refused = error
        again = Request({**request.scope, "method": "GET"})
        told = {**fields, "problem": refused.message, "problem-code": refused.code}
        try:
            response = await show(again, core, told)
        except ApiError:
            response = outcome(ENGLISH, "This does not work", refused.message)
        response.status_code = refused.status
        response.headers.update(refused.headers)
        return response

    return endpoint


def _form(title: str, action: str, content: str, fields: Fields) -> Response:
    problem = fields.get("problem", "")
    shown = f'<p class="error" role="alert">{escape(problem)}</p>' if problem else ""
    form = f'<form method="post" action="{action}">{content}</form>'
    # Browsers name the origin of a form only to sites that may know the referrer.
    return page(
        ENGLISH, title, f"<h1>{escape(title)}</h1>{shown}{form}", "bkend", referrer="same-origin"
    )


def _box(
    label: str,
    name: str,
    fields: Fields,
    *,
    type: str = "text",
    autocomplete: str = "off",
    hint: str = "",
) -> str:
    below = f'<p class="hint">{escape(hint)}</p>' if hint else ""
    return (
        f'<label for="{name}">{escape(label)}</label><input class="box" id="{name}" name="{name}" '
        f'type="{type}" value="{escape(fields.get(name, ""))}" autocomplete="{autocomplete}" '
        f'maxlength="300" required>{below}'
    )


def _new_password(name: str) -> str:
    return (
        f'<label for="{name}">Password</label><input id="{name}" name="{name}" type="password" '
        f'autocomplete="new-password" minlength="{SHORTEST_PASSWORD}" '
        f'maxlength="{LONGEST_PASSWORD}" required>'
        f'<p class="hint">At least {SHORTEST_PASSWORD} characters.</p>'
    )


async def _client(request: Request) -> Client:
    return await current_client(request)


async def _fields(request: Request) -> dict[str, str]:
    """The form of a POST, else the query; of a repeated field the first."""
    text = request.scope["query_string"]
    if request.method == "POST":
        text = await exchange_of(request).body()
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:  # not UTF-8, or too many fields
        return {}
    return {name: value for name, value in reversed(pairs) if not name.startswith("problem")}


_PAGES: dict[str, Page] = {
    SETUP: _setup,
    LOGIN: _login,
    DEVICE: _device,
    MAGIC: _magic,
    RESET: _reset,
    VERIFY: _verify,
}
routes = [Route(path, _page(show), methods=["GET", "POST"]) for path, show in _PAGES.items()]
