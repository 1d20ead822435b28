"""What the hosted pages say, in English and Korean."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of one language. `{…}` are filled in, escaped."""

    language: str
    reset_title: str
    reset_lead: str
    first_label: str
    second_label: str
    save: str
    reset_done: str
    reset_done_lead: str
    differ: str
    same: str
    weak: str
    short: str
    long: str
    rules: str
    invitation_title: str
    invited_by: str
    invited: str
    role: str
    address: str
    valid_until: str
    accept: str
    decline: str
    accepted: str
    accepted_lead: str
    declined: str
    declined_lead: str
    already_accepted: str
    already_accepted_lead: str
    expired: str
    expired_lead: str
    invalid: str
    invalid_lead: str
    to_app: str


ENGLISH = Wording(
    language="en",
    reset_title="Choose a new password",
    reset_lead="For {email}. You will be signed out everywhere.",
    first_label="New password",
    second_label="Once more",
    save="Save password",
    reset_done="Your password was changed",
    reset_done_lead="Sign in to {project} with the new password.",
    differ="The two passwords differ.",
    same="This is your present password. Choose another.",
    weak="This password is among the most common ones. Choose another.",
    short="At least {count} characters.",
    long="At most {count} characters.",
    rules="The password needs: {rules}.",
    invitation_title="You are invited to {resource}",
    invited_by="{inviter} invites you, {name}.",
    invited="You are invited, {name}.",
    role="Role",
    address="Address",
    valid_until="Valid until",
    accept="Accept",
    decline="Decline",
    accepted="Welcome to {resource}",
    accepted_lead="You can sign in to {project} now. If you have no password yet, "
    "ask for a link there, or choose “forgot password”.",
    declined="Invitation declined",
    declined_lead="Nothing else will happen.",
    already_accepted="This invitation was accepted",
    already_accepted_lead="Sign in to {project} to go on.",
    expired="This link has expired",
    expired_lead="Ask for a new one.",
    invalid="This link is not valid",
    invalid_lead="It was used already, or a newer one took its place. Ask for a new one.",
    to_app="Continue",
)

KOREAN = Wording(
    language="ko",
    reset_title="새 비밀번호 설정",
    reset_lead="{email} 계정입니다. 변경하면 모든 기기에서 로그아웃됩니다.",
    first_label="새 비밀번호",
    second_label="새 비밀번호 확인",
    save="비밀번호 저장",
    reset_done="비밀번호가 변경되었습니다",
    reset_done_lead="새 비밀번호로 {project}에 로그인하세요.",
    differ="두 비밀번호가 서로 다릅니다.",
    same="현재 비밀번호와 같습니다. 다른 비밀번호를 입력하세요.",
    weak="너무 흔한 비밀번호입니다. 다른 비밀번호를 입력하세요.",
    short="{count}자 이상 입력하세요.",
    long="{count}자 이하로 입력하세요.",
    rules="비밀번호에 다음이 필요합니다: {rules}.",
    invitation_title="{resource} 초대",
    invited_by="{inviter}님이 {name}님을 초대했습니다.",
    invited="{name}님이 초대되었습니다.",
    role="역할",
    address="이메일",
    valid_until="유효 기한",
    accept="수락",
    decline="거절",
    accepted="{resource}에 오신 것을 환영합니다",
    accepted_lead="이제 {project}에 로그인할 수 있습니다. 아직 비밀번호가 없다면 앱에서 "
    "로그인 링크나 비밀번호 재설정을 요청하세요.",
    declined="초대를 거절했습니다",
    declined_lead="더 할 일은 없습니다.",
    already_accepted="이미 수락한 초대입니다",
    already_accepted_lead="{project}에 로그인하세요.",
    expired="링크가 만료되었습니다",
    expired_lead="새 링크를 요청하세요.",
    invalid="유효하지 않은 링크입니다",
    invalid_lead="이미 사용했거나 더 새로운 링크가 있습니다. 새 링크를 요청하세요.",
    to_app="계속",
)

RULES = {
    "requireUppercase": {"en": "an upper-case letter", "ko": "대문자"},
    "requireLowercase": {"en": "a lower-case letter", "ko": "소문자"},
    "requireNumbers": {"en": "a digit", "ko": "숫자"},
    "requireSpecialChars": {"en": "a special character", "ko": "특수문자"},
}

_RANGE = re.compile(r"\s*([a-z]{1,8})(?:-[a-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?")


def wording_for(accept_language: str) -> Wording:
    """The language that a browser likes best of the two; English if it names neither."""
    best, liking = ENGLISH, 0.0
    for part in accept_language.lower()[:1000].split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            continue
        weight = float(match[2]) if match[2] else 1.0
        if match[1] in ("en", "ko") and weight > liking:
            best, liking = (KOREAN if match[1] == "ko" else ENGLISH), weight
    return best
