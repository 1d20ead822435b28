"""Permission expressions such as `user & self | role:editor` (21 §8).

A parsed expression is kept in postfix order and evaluated with a stack: no nesting of
parentheses can exhaust the interpreter's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bkend.caller import Standing

Verdict: TypeAlias = Literal["yes", "no", "own"]
"""What is left of a rule when all but the row is known; `own` means: on own rows only."""

LONGEST_EXPRESSION = 512
_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[|&()])"
    r"|role:\s*(?P<role>\*|[a-z][a-z0-9_-]{0,63}(?![A-Za-z0-9_-]))"
    r"|(?P<word>user|guest|admin|self|public)(?![A-Za-z0-9_:-])"
    r"|(?P<end>\Z))",
    re.ASCII,
)
_RANKS = {"no": 0, "own": 1, "yes": 2}
_BINDS = {"|": 1, "&": 2}


class InvalidExpression(ValueError):
    """The text is no expression; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: atoms, and `&` and `|` after what they join."""

    steps: tuple[str, ...]

    def reduce(self, standing: Standing, *, owned: Verdict = "own") -> Verdict:
        """The verdict for a requester. `owned` is what `self` comes to for somebody signed in:
        on create, where there is no row yet, it is `yes`.
        """
        if standing.group == "admin":
            return "yes"
        stack: list[Verdict] = []
        for step in self.steps:
            if step in _BINDS:
                last, first = stack.pop(), stack.pop()
                choose = min if step == "&" else max
                stack.append(choose(first, last, key=_RANKS.__getitem__))
            else:
                stack.append(_atom(step, standing, owned))
        return stack[0]


DENIED = Expression(("admin",))
"""What a stored rule that does not parse comes to: only admins pass."""


def parse_expression(text: str) -> Expression:
    """The expression. Raises InvalidExpression."""
    if len(text) > LONGEST_EXPRESSION:
        raise InvalidExpression(f"an expression has at most {LONGEST_EXPRESSION} characters")
    steps: list[str] = []
    waiting: list[str] = []
    after_operand = False
    position = 0
    while True:
        token = _TOKEN.match(text, position)
        if token is None:
            raise _unexpected(text, position)
        sign, role, word = token.group("sign", "role", "word")
        if token["end"] is not None:
            break
        begins_operand = sign is None or sign == "("
        if begins_operand == after_operand:
            raise _unexpected(text, position)
        if sign is None:
            steps.append(word or f"role:{role}")
            after_operand = True
        elif sign == "(":
            waiting.append(sign)
        elif sign == ")":
            if not _close(waiting, steps):
                raise _unexpected(text, position)
        else:
            while waiting and _BINDS.get(waiting[-1], 0) >= _BINDS[sign]:
                steps.append(waiting.pop())
            waiting.append(sign)
            after_operand = False
        position = token.end()
    if not after_operand:
        raise InvalidExpression("the expression ends where a word is expected")
    if "(" in waiting:
        raise InvalidExpression("a parenthesis is not closed")
    return Expression((*steps, *reversed(waiting)))


def stored_expression(text: object) -> Expression:
    """A stored expression; one that does not parse denies (21 §8)."""
    try:
        return parse_expression(text) if isinstance(text, str) else DENIED
    except InvalidExpression:
        return DENIED


def _close(waiting: list[str], steps: list[str]) -> bool:
    """Take what waits up to the opening parenthesis; False when there is none."""
    while waiting:
        sign = waiting.pop()
        if sign == "(":
            return True
        steps.append(sign)
    return False


def _atom(atom: str, standing: Standing, owned: Verdict) -> Verdict:
    if atom in ("public", "guest"):
        return "yes"
    if atom == "self":
        return owned if standing.signed_in else "no"
    if atom == "user":
        return "yes" if standing.group == "user" else "no"
    if atom == "role:*":
        return "yes" if standing.role else "no"
    return "yes" if standing.role and atom == f"role:{standing.role}" else "no"


def _unexpected(text: str, position: int) -> InvalidExpression:
    rest = text[position:].strip()
    if not rest:
        return InvalidExpression("the expression ends where a word is expected")
    return InvalidExpression(f"{rest[:20]!r} is not expected at character {position + 1}")
