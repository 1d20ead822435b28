"""The built-in texts, in English and Korean: subject and body of each category (10 §14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bkend.mail.layout import default_body

Locale: TypeAlias = Literal["en", "ko"]
LOCALES: tuple[Locale, ...] = ("en", "ko")
CATEGORIES = (
    "signup_confirmation",
    "password_reset",
    "magic_link",
    "email_verification",
    "invitation",
)


@dataclass(frozen=True, slots=True)
class Wording:
    """What a built-in mail says; `name` is how the console calls it."""

    name: str
    subject: str
    heading: str
    text: str
    button: str
    link: str
    note: str


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A built-in template as a person may begin to edit it."""

    name: str
    subject: str
    body: str


_EN = {
    "signup_confirmation": Wording(
        name="Sign-up confirmation",
        subject="Confirm your e-mail address for {{appName}}",
        heading="Confirm your e-mail address",
        text="Thank you for signing up for {{appName}}. Please confirm that {{userEmail}} is "
        "your address.",
        button="Confirm address",
        link="verifyLink",
        note="The link works for {{expiresIn}}. If you did not sign up, you can ignore this mail.",
    ),
    "email_verification": Wording(
        name="E-mail verification",
        subject="Verify your e-mail address for {{appName}}",
        heading="Verify your e-mail address",
        text="Please verify that {{userEmail}} is the address you want to use with {{appName}}.",
        button="Verify address",
        link="verifyLink",
        note="The link works for {{expiresIn}}. If you did not ask for it, you can ignore this "
        "mail; nothing changes then.",
    ),
    "password_reset": Wording(
        name="Password reset",
        subject="Reset your {{appName}} password",
        heading="Choose a new password",
        text="Somebody, most likely you, asked for a new password for {{userEmail}}.",
        button="Reset password",
        link="resetLink",
        note="The link works once, for {{expiresIn}}. If it was not you, you can ignore this mail; "
        "your password stays as it is.",
    ),
    "magic_link": Wording(
        name="Magic link",
        subject="Sign in to {{appName}}",
        heading="Sign in to {{appName}}",
        text="Here is your link to sign in as {{userEmail}}. No password needed.",
        button="Sign in",
        link="magicLink",
        note="The link works once, for {{expiresIn}}. Do not pass it on. If you did not ask for "
        "it, you can ignore this mail.",
    ),
    "invitation": Wording(
        name="Invitation",
        subject="{{inviterName}} invited you to {{resourceName}}",
        heading="You are invited",
        text="{{inviterName}} invites you to join {{resourceName}} on {{appName}}.",
        button="Accept invitation",
        link="inviteLink",
        note="The invitation is for {{userEmail}} and is open for {{expiresIn}}. If you did not "
        "expect it, you can ignore this mail.",
    ),
}

_KO = {
    "signup_confirmation": Wording(
        name="가입 확인",
        subject="[{{appName}}] 이메일 주소를 확인해 주세요",
        heading="이메일 주소를 확인해 주세요",
        text="{{appName}}에 가입해 주셔서 감사합니다. {{userEmail}} 주소가 본인의 것인지 "
        "확인해 주세요.",
        button="이메일 확인하기",
        link="verifyLink",
        note="이 링크는 {{expiresIn}} 동안 유효합니다. 가입하신 적이 없다면 이 메일을 "
        "무시하셔도 됩니다.",
    ),
    "email_verification": Wording(
        name="이메일 인증",
        subject="[{{appName}}] 이메일 주소를 인증해 주세요",
        heading="이메일 주소를 인증해 주세요",
        text="{{appName}}에서 {{userEmail}} 주소를 사용하려면 본인의 주소인지 인증해 주세요.",
        button="이메일 인증하기",
        link="verifyLink",
        note="이 링크는 {{expiresIn}} 동안 유효합니다. 요청하신 적이 없다면 이 메일을 "
        "무시하셔도 되며, 아무것도 바뀌지 않습니다.",
    ),
    "password_reset": Wording(
        name="비밀번호 재설정",
        subject="[{{appName}}] 비밀번호를 재설정해 주세요",
        heading="새 비밀번호를 설정해 주세요",
        text="{{userEmail}} 계정의 비밀번호 재설정 요청을 받았습니다.",
        button="비밀번호 재설정하기",
        link="resetLink",
        note="이 링크는 {{expiresIn}} 동안 한 번만 사용할 수 있습니다. 직접 요청하지 않으셨다면 "
        "이 메일을 무시하셔도 되며, 비밀번호는 그대로 유지됩니다.",
    ),
    "magic_link": Wording(
        name="매직 링크",
        subject="[{{appName}}] 로그인 링크",
        heading="{{appName}} 로그인",
        text="{{userEmail}} 계정의 로그인 링크입니다. 비밀번호 없이 로그인할 수 있습니다.",
        button="로그인하기",
        link="magicLink",
        note="이 링크는 {{expiresIn}} 동안 한 번만 사용할 수 있습니다. 다른 사람에게 전달하지 "
        "마세요. 요청하신 적이 없다면 이 메일을 무시하셔도 됩니다.",
    ),
    "invitation": Wording(
        name="초대",
        subject="{{inviterName}}님이 {{resourceName}}에 초대했습니다",
        heading="초대장이 도착했습니다",
        text="{{inviterName}}님이 {{appName}}의 {{resourceName}}에 회원님을 초대했습니다.",
        button="초대 수락하기",
        link="inviteLink",
        note="이 초대는 {{userEmail}} 주소로 보낸 것이며 {{expiresIn}} 동안 유효합니다. 예상하지 "
        "못한 초대라면 이 메일을 무시하셔도 됩니다.",
    ),
}

_FALLBACK: dict[Locale, str] = {
    "en": "If the button does not work, open this address:",
    "ko": "버튼이 작동하지 않으면 아래 주소를 여세요:",
}
FOOTER: dict[Locale, str] = {
    "en": "{{appName}} sent this mail to {{userEmail}}.",
    "ko": "{{appName}}에서 {{userEmail}} 주소로 보낸 메일입니다.",
}


def _built_in(wording: Wording, locale: Locale) -> BuiltIn:
    body = default_body(
        heading=wording.heading,
        text=wording.text,
        button=wording.button,
        link=wording.link,
        note=wording.note,
        fallback=_FALLBACK[locale],
    )
    return BuiltIn(wording.name, wording.subject, body)


_WORDINGS: dict[Locale, dict[str, Wording]] = {"en": _EN, "ko": _KO}
BUILT_IN: dict[tuple[str, Locale], BuiltIn] = {
    (category, locale): _built_in(words[category], locale)
    for locale, words in _WORDINGS.items()
    for category in CATEGORIES
}


def greeting(name: str, locale: Locale) -> str:
    """How a mail begins; also for somebody without a name."""
    if locale == "ko":
        return f"안녕하세요, {name}님." if name else "안녕하세요."
    return f"Hello {name}," if name else "Hello,"


def duration(minutes: int, locale: Locale) -> str:
    """`15 minutes`, `24 hours`, `7 days`: in the largest unit that comes out even."""
    for size, english, korean in (
        (1440, "day", "일"),
        (60, "hour", "시간"),
        (1, "minute", "분"),
    ):
        # A day is told as hours: "24 hours" says better than "1 day" when it ends.
        if minutes % size == 0 and (minutes > size or size < 1440):
            count = minutes // size
            if locale == "ko":
                return f"{count}{korean}"
            return f"{count} {english}{'' if count == 1 else 's'}"
    return ""
