"""The sample sign-in page in a real browser, against a real server and a real provider."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import jwt
import pyotp
import pytest
from playwright.sync_api import BrowserContext, expect

from tests.auth.social.conftest import OidcProvider, oidc  # noqa: F401
from tests.browser.pictures import PICTURE
from tests.browser.signing import PASSWORD, SignInPage, sign_in_site
from tests.managing import mailed_link, untouched
from tests.servers import RunningServer

pytestmark = pytest.mark.browser

Tab = SignInPage
_PAST = """
(seconds) => new Promise((done) => {
  const look = () => (Date.now() / 1000 > seconds + 0.05 ? done() : setTimeout(look, 20));
  look();
})
"""


@pytest.fixture
def address(server: RunningServer) -> Iterator[str]:
    """The sample page for the shared server."""
    with sign_in_site(server) as found:
        yield found


@pytest.fixture
def tab(context: BrowserContext, address: str) -> Tab:
    """The sample page, freshly opened."""
    return SignInPage(context, address)


@pytest.fixture
def email() -> str:
    """An address that nobody has."""
    return f"{uuid.uuid4().hex[:12]}@example.com"


def set_up_second_factor(tab: Tab) -> tuple[pyotp.TOTP, list[str]]:
    """The authenticator app that has scanned the page's code, and the backup codes."""
    tab.form("mfa-enable", "Set up", password=PASSWORD)
    expect(tab.page.get_by_alt_text("QR code")).to_be_visible()
    assert tab.page.locator("#qr").evaluate("(img) => img.decode().then(() => img.naturalWidth)")
    app = pyotp.TOTP(tab.page.locator("#secret").text_content() or "")
    codes = tab.page.locator("#backup-codes li").all_text_contents()
    tab.form("mfa-confirm", "Switch it on", code=app.now())
    tab.is_told("The second factor is on.")
    return app, codes


def test_a_visitor_signs_up_and_is_still_there_after_a_reload(tab: Tab, email: str) -> None:
    tab.sign_up(email)
    tab.page.reload()
    tab.sees("Ada Lovelace")
    tab.sign_out()
    tab.sign_in(email)
    tab.sees("Ada Lovelace")
    tab.is_sound()


def test_a_wrong_password_is_told_without_saying_what_is_wrong(tab: Tab, email: str) -> None:
    tab.sign_in(email, "wrong horse")
    tab.is_warned("E-mail address or password is wrong.")
    tab.sign_up(email)
    tab.sign_out()
    tab.sign_in(email, "wrong horse")
    tab.is_warned("E-mail address or password is wrong.")
    tab.sign_in(email)
    tab.sees("Ada Lovelace")
    expect(tab.page.get_by_role("alert")).to_be_hidden()


def test_forms_say_at_the_field_what_is_missing(tab: Tab, email: str) -> None:
    tab.open("Create an account", "Create an account")
    tab.form("sign-up", "Create account", name="Ada", email=email, password="short")
    field = tab.page.locator("#sign-up [name=password]")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(tab.page.locator("#sign-up .problem")).to_have_count(1)
    expect(field).to_have_accessible_name("Password")
    expect(field).to_have_accessible_description(re.compile("At least 8 characters.*lengthen"))
    tab.form("sign-up", "Create account", name="Ada", email="ada", password=PASSWORD)
    expect(tab.page.locator("#sign-up [name=email]")).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("remember[.]$"))
    expect(tab.page.locator("#sign-up .problem")).to_have_count(1)


def test_a_known_address_is_sent_to_sign_in(tab: Tab, email: str) -> None:
    tab.sign_up(email)
    tab.sign_out()
    tab.open("Create an account", "Create an account")
    tab.form("sign-up", "Create account", name="Eve", email=email, password=PASSWORD)
    tab.is_warned("An account with this address already exists. Sign in instead.")


def test_a_second_factor_is_set_up_asked_for_and_switched_off(tab: Tab, email: str) -> None:
    tab.sign_up(email)
    app, codes = set_up_second_factor(tab)
    assert len(codes) == 10
    tab.sign_out()
    tab.sign_in(email)
    tab.sees("One more step")
    tab.form("code", "Continue", mfaCode="zzzz zzzz")
    tab.is_warned("That code is wrong or was used already. Try the next one.")
    tab.form("code", "Continue", mfaCode=app.now())
    tab.sees("Ada Lovelace")
    tab.sign_out()
    tab.sign_in(email)
    tab.form("code", "Continue", mfaCode=codes[3].upper())
    tab.sees("Ada Lovelace")
    tab.form("mfa-disable", "Switch it off", password=PASSWORD, code=codes[4])
    tab.is_told("The second factor is off.")
    tab.is_sound()


def test_a_magic_link_signs_in_once(
    tab: Tab, context: BrowserContext, server: RunningServer, email: str
) -> None:
    server.sign_up(email, name="Ada Lovelace")
    tab.page.locator("#sign-in [name=email]").fill(email)
    tab.open("Sign in with a link", "E-mail me a link")
    tab.form("link", "Send the link")
    tab.sees("Look at your mail")
    link = mailed_link(server, email, "magic_link")
    tab.page.goto(link)
    tab.sees("Ada Lovelace")
    tab.is_sound()
    tab.sign_out()
    again = SignInPage(context, link)
    again.is_warned("This link was used already, or a newer one was sent.")
    again.sees("Sign in")


def test_a_magic_link_asks_for_the_second_factor(
    tab: Tab, server: RunningServer, email: str
) -> None:
    tab.sign_up(email)
    _, codes = set_up_second_factor(tab)
    tab.sign_out()
    tab.open("Sign in with a link", "E-mail me a link")
    tab.form("link", "Send the link", email=email)
    tab.sees("Look at your mail")
    tab.page.goto(mailed_link(server, email, "magic_link"))
    tab.sees("One more step")
    tab.form("code", "Continue", mfaCode=codes[0])
    tab.sees("Ada Lovelace")
    tab.is_sound()


def test_a_forgotten_password_is_replaced(tab: Tab, server: RunningServer, email: str) -> None:
    server.sign_up(email, name="Ada Lovelace")
    tab.open("Forgotten password", "Forgotten your password?")
    tab.form("forgot", "Send the link", email=email)
    tab.sees("Look at your mail")
    tab.page.goto(mailed_link(server, email, "password_reset"))
    tab.sees("Choose a new password")
    tab.is_sound()
    tab.form("reset", "Save password", newPassword="another good horse")
    tab.is_told("Your password is changed. Sign in with the new one.")
    tab.form("sign-in", "Sign in", password=PASSWORD)
    tab.is_warned("E-mail address or password is wrong.")
    tab.form("sign-in", "Sign in", password="another good horse")
    tab.sees("Ada Lovelace")


def test_an_address_is_verified(tab: Tab, server: RunningServer, email: str) -> None:
    tab.sign_up(email)
    expect(tab.page.locator("#verified")).to_have_text("not verified")
    tab.press("Send the mail")
    tab.is_told(f"A mail is on its way to {email}.")
    tab.page.goto(mailed_link(server, email, "email_verification"))
    tab.is_told("Your e-mail address is verified.")
    expect(tab.page.locator("#verified")).to_have_text("verified")
    tab.is_sound()


def test_a_provider_signs_in(
    tab: Tab,
    server: RunningServer,
    email: str,
    oidc: OidcProvider,  # noqa: F811
) -> None:
    configure = ("--client-id", "the-app", "--client-secret-file", str(server.directory / "secret"))
    (server.directory / "secret").write_text("s3cret")
    server.bkend("auth", "providers", "acme", "--env", "dev", "--issuer", oidc.url, *configure)
    sub = uuid.uuid4().hex
    oidc.user(sub, email=email, name="Grace Hopper")
    tab.press("Continue with Acme")
    tab.page.locator("[name=sub]").fill(sub)
    tab.page.locator("button[type=submit], input[type=submit], button").first.click()
    tab.sees("Grace Hopper")
    tab.is_sound()
    expect(tab.page.locator("#accounts li")).to_contain_text("Acme")
    tab.press("Unlink Acme")
    tab.is_warned("This is your only way to sign in.")


def test_tokens_in_a_link_sign_nobody_in(tab: Tab, server: RunningServer, email: str) -> None:
    pair = server.sign_up(email)
    tokens = f"accessToken={pair['accessToken']}&refreshToken={pair['refreshToken']}"
    tab.page.goto(f"{tab.page.url}?flow=provider&{tokens}")
    tab.is_warned("That sign-in was not begun here. Please try again.")
    tab.sees("Sign in")
    tab.is_sound()


def test_a_profile_and_a_picture_are_kept(tab: Tab, email: str) -> None:
    tab.sign_up(email)
    tab.form("profile", "Save profile", name="Ada King", nickname="Countess", bio="Engines")
    tab.is_told("Your profile is saved.")
    tab.sees("Ada King")
    picture = {"name": "me.png", "mimeType": "image/png", "buffer": PICTURE}
    tab.page.locator("#picture").set_input_files(picture)  # type: ignore[arg-type]
    tab.is_told("Your picture is saved.")
    shown = tab.page.locator("#avatar img")
    assert shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 8
    tab.page.reload()
    tab.sees("Ada King")
    expect(tab.page.locator("#profile [name=nickname]")).to_have_value("Countess")
    tab.press("Remove picture")
    tab.is_told("Your picture is removed.")
    expect(shown).to_have_count(0)
    text = {"name": "me.png", "mimeType": "image/png", "buffer": b"<html>"}
    tab.page.locator("#picture").set_input_files(text)  # type: ignore[arg-type]
    expect(tab.page.get_by_role("alert")).to_be_visible()
    tab.is_sound()


def test_a_large_picture_shows_its_progress(tab: Tab, email: str) -> None:
    tab.sign_up(email)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 8 << 20}
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("Network.emulateNetworkConditions", slow)
    heard = tab.calls(
        """{
        const png = new Uint8Array(4 << 20);
        png.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
        const heard = [];
        const onProgress = (progress) => heard.push(progress);
        const file = new File([png], "me.png", { type: "image/png" });
        return client.users.avatar.upload(file, { onProgress }).then(() => heard);
        }"""
    )
    assert heard[-1] == {"loaded": 4 << 20, "total": 4 << 20}
    assert [entry["loaded"] for entry in heard] == sorted({entry["loaded"] for entry in heard})
    assert len(heard) > 1


def test_a_changed_password_signs_out_everywhere(tab: Tab, email: str) -> None:
    tab.sign_up(email)
    tab.form("password", "Change password", currentPassword="wrong", newPassword="other horses")
    tab.is_warned("The present password is wrong.")
    tab.form("password", "Change password", currentPassword=PASSWORD, newPassword="other horses")
    tab.is_told("Your password is changed. Sign in with the new one.")
    tab.sees("Sign in")
    tab.sign_in(email, "other horses")
    tab.sees("Ada Lovelace")


def test_another_session_is_ended(tab: Tab, server: RunningServer, email: str) -> None:
    token = server.sign_up(email, PASSWORD, "Ada Lovelace")["accessToken"]
    tab.sign_in(email)
    expect(tab.page.locator("#sessions li")).to_have_count(2)
    tab.page.locator("#sessions").get_by_role("button").click()
    tab.is_told("The session is ended.")
    expect(tab.page.locator("#sessions li")).to_have_count(1)
    with server.client(token=token) as client:
        assert client.get("/v1/auth/me").status_code == 401


def test_an_account_is_deleted_only_when_one_is_sure(tab: Tab, email: str) -> None:
    tab.sign_up(email)
    tab.press("Delete account")
    tab.press("Keep it")
    tab.sees("Ada Lovelace")
    tab.press("Delete account")
    tab.press("Delete for good")
    tab.is_told("Your account is deleted.")
    tab.sees("Sign in")
    tab.sign_in(email)
    tab.is_warned("E-mail address or password is wrong.")
    tab.is_sound()


def test_signing_out_in_one_tab_signs_out_the_other(
    tab: Tab, context: BrowserContext, address: str, email: str
) -> None:
    tab.sign_up(email)
    other = SignInPage(context, address)
    other.sees("Ada Lovelace")
    tab.sign_out()
    other.sees("Sign in")
    other.is_told("You are signed out.")
    other.sign_in(email)
    tab.sees("Ada Lovelace")


def test_an_expired_token_is_refreshed_once_for_three_calls(
    context: BrowserContext, server: RunningServer, email: str
) -> None:
    with (
        untouched(server, accessTokenTtlSeconds=2) as short_lived,
        sign_in_site(short_lived) as address,
    ):
        tab = SignInPage(context, address)
        tab.sign_up(email)
        token = tab.calls("client.auth.getSession().then((tokens) => tokens.accessToken)")
        expires = jwt.decode(token, options={"verify_signature": False})["exp"]
        tab.page.evaluate(_PAST, expires)
        sent: list[str] = []
        tab.page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
        names = tab.calls(
            """Promise.all([
              client.auth.me(), client.users.profile.get(), client.auth.sessions.list(),
            ]).then(([user, profile]) => [user.name, profile.name])"""
        )
        assert names == ["Ada Lovelace", "Ada Lovelace"]
        assert len([call for call in sent if re.match(r"POST .*/v1/auth/refresh$", call)]) == 1
        assert tab.calls("client.auth.getSession().then((s) => s.accessToken)") != token
