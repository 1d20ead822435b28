"""The look of the hosted pages: one file each, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse, Response

from bkend.auth.links.wording import Wording

_STYLE = """
:root { color-scheme: light dark; --ink: #16181d; --soft: #5c6370; --line: #d8dce3;
  --page: #f4f5f7; --card: #fff; --act: #1a5fd0; --act-ink: #fff; --bad: #b3261e;
  --bad-page: #fdecea; --good: #1a7f43; }
@media (prefers-color-scheme: dark) { :root { --ink: #eceef2; --soft: #a3abb8; --line: #3a404b;
  --page: #14161a; --card: #1d2026; --act: #7fb0ff; --act-ink: #0b1a33; --bad: #ff9a92;
  --bad-page: #3b1d1b; --good: #6fd398; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--page); color: var(--ink); word-break: keep-all; overflow-wrap: anywhere;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Apple SD Gothic Neo", "Noto Sans KR",
    "Malgun Gothic", sans-serif; }
main { width: 100%; max-width: 26rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; padding: 2rem; box-shadow: 0 1px 2px rgb(0 0 0 / .05),
    0 12px 32px rgb(0 0 0 / .06); }
.project { margin: 0 0 1.25rem; font-size: .875rem; font-weight: 600; color: var(--soft); }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.3; letter-spacing: -.01em; }
.lead { margin: 0 0 1.5rem; color: var(--soft); }
.lead:last-child { margin-bottom: 0; }
label { display: block; margin: 0 0 .35rem; font-size: .875rem; font-weight: 600; }
input[type=password], .box { display: block; width: 100%; margin: 0 0 1rem; padding: .65rem .75rem;
  font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
input:focus-visible, button:focus-visible, a:focus-visible { outline: 2px solid var(--act);
  outline-offset: 2px; }
.hint { margin: -.6rem 0 1rem; font-size: .8125rem; color: var(--soft); }
.error { margin: 0 0 1rem; padding: .65rem .75rem; border-radius: 8px; font-size: .9375rem;
  color: var(--bad); background: var(--bad-page); }
button, .button { display: block; width: 100%; padding: .7rem 1rem; font: inherit;
  font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
  color: var(--act-ink); background: var(--act); border: 1px solid var(--act);
  border-radius: 8px; }
button.quiet { color: var(--ink); background: transparent; border-color: var(--line); }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .4rem 1.25rem; margin: 0 0 1.5rem;
  padding: .9rem 1rem; border: 1px solid var(--line); border-radius: 8px; font-size: .9375rem; }
dt { color: var(--soft); }
dd { margin: 0; text-align: right; }
@media (max-width: 26rem) { main { padding: 1.5rem; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; text-align: left; } dd:last-child { margin: 0; } }
.mark { width: 2.75rem; height: 2.75rem; margin: 0 0 1rem; display: grid; place-items: center;
  border-radius: 50%; font-size: 1.375rem; font-weight: 700; color: var(--card);
  background: var(--good); }
.mark.bad { background: var(--bad); }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}


def page(
    wording: Wording,
    title: str,
    content: str,
    project: str,
    status: int = 200,
    *,
    referrer: str = "no-referrer",
) -> Response:
    """A page. `title` and `project` are text, `content` is HTML."""
    above = f'<p class="project">{escape(project)}</p>' if project else ""
    text = (
        f'<!doctype html><html lang="{wording.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="{referrer}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{above}{content}</main></body></html>"
    )
    return HTMLResponse(text, status, {**_HEADERS, "Referrer-Policy": referrer})


def outcome(
    wording: Wording,
    title: str,
    lead: str,
    project: str = "",
    *,
    good: bool = False,
    site: str | None = None,
    status: int = 200,
) -> Response:
    """A page that only tells something, with a way on to the app where that is known."""
    mark = '<div class="mark" aria-hidden="true">✓</div>'
    if not good:
        mark = '<div class="mark bad" aria-hidden="true">!</div>'
    onward = (
        f'<a class="button" href="{escape(site)}" rel="noreferrer">{escape(wording.to_app)}</a>'
        if site
        else ""
    )
    told = f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>'
    return page(wording, title, mark + told + onward, project, status)


def hidden(**values: str) -> str:
    """Hidden fields of a form."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in values.items()
    )
