"""How mails look: one layout for every width, light or dark, around the body of a template.

Styles stand at the elements because some mail programs drop style sheets; the sheet only adds
what such programs can do without: dark colours and narrow screens.
"""

from __future__ import annotations

import html
import re

_FONT = (
    "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Apple SD Gothic Neo','Malgun Gothic',"
    "'Noto Sans KR','Noto Sans CJK KR',Helvetica,Arial,sans-serif"
)
_DOCUMENT = re.compile(r"<!doctype\b|<html\b", re.IGNORECASE)

_BODY = """\
<h1 style="margin:0 0 20px;font-size:24px;line-height:32px;font-weight:700">{heading}</h1>
<p style="margin:0 0 12px">{{{{greeting}}}}</p>
<p style="margin:0 0 24px">{text}</p>
<table role="presentation" border="0" cellpadding="0" cellspacing="0" style="margin:0 0 24px">
  <tr>
    <td bgcolor="{{{{brandColor}}}}" style="border-radius:8px">
      <a href="{{{{{link}}}}}" style="display:inline-block;padding:13px 28px;border-radius:8px;\
font-size:16px;line-height:22px;font-weight:600;text-decoration:none;\
color:{{{{brandTextColor}}}}">{button}</a>
    </td>
  </tr>
</table>
<p class="quiet" style="margin:0 0 16px;font-size:14px;line-height:22px;color:#5b6472">{note}</p>
<p class="quiet" data-plain="skip" style="margin:0;font-size:13px;line-height:20px;\
color:#5b6472">{fallback}<br><a class="quiet" href="{{{{{link}}}}}" style="color:#5b6472;\
word-break:break-all">{{{{{link}}}}}</a></p>
"""

_LAYOUT = """\
<!doctype html>
<html lang="{locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no">
<title>{subject}</title>
<style>
:root {{ color-scheme: light dark; supported-color-schemes: light dark; }}
@media (max-width: 480px) {{
  .page {{ padding: 16px 12px !important; }}
  .card {{ padding: 28px 20px !important; }}
}}
@media (prefers-color-scheme: dark) {{
  .ground {{ background-color: #111418 !important; }}
  .card {{ background-color: #1b1f26 !important; border-color: #2c323c !important; }}
  .card, .name {{ color: #e8eaee !important; }}
  .quiet {{ color: #a7afbc !important; }}
}}
</style>
</head>
<body class="ground" style="margin:0;padding:0;background-color:#f3f4f6">
<table role="presentation" class="page ground" width="100%" border="0" cellpadding="0" \
cellspacing="0" bgcolor="#f3f4f6" style="background-color:#f3f4f6;padding:32px 16px;\
font-family:{font};word-break:{breaking};overflow-wrap:anywhere">
<tr><td align="center">
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" \
style="max-width:560px;table-layout:fixed">
<tr><td class="name" style="padding:0 0 20px;font-size:18px;line-height:24px;font-weight:700;\
color:#1b1f26">{brand}</td></tr>
<tr><td class="card" bgcolor="#ffffff" style="padding:40px;border:1px solid #e2e5ea;\
border-top:4px solid {colour} !important;border-radius:4px 4px 12px 12px;background-color:#ffffff;\
font-size:16px;line-height:26px;color:#1b1f26">
{body}
</td></tr>
<tr><td class="quiet" style="padding:20px 0 0;font-size:13px;line-height:20px;color:#5b6472">\
{footer}</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
"""


def default_body(
    *, heading: str, text: str, button: str, link: str, note: str, fallback: str
) -> str:
    """The body of a built-in template; `link` is the variable that its button leads to."""
    return _BODY.format(
        heading=heading, text=text, button=button, link=link, note=note, fallback=fallback
    )


def is_document(body: str) -> bool:
    """Whether a template's body is a whole HTML document, which is sent as it is."""
    return _DOCUMENT.search(body) is not None


def in_layout(
    body: str, *, subject: str, footer: str, app_name: str, logo: str, colour: str, locale: str
) -> str:
    """The filled body between the app's logo (or name) and the footer, both already filled.

    `logo` is an http address or empty, `colour` is `#RRGGBB`.
    """
    name = html.escape(app_name)
    brand = name
    if logo:
        brand = (
            f'<img src="{html.escape(logo)}" alt="{name}" height="40" border="0" '
            'style="display:block;height:40px;width:auto;max-width:240px">'
        )
    return _LAYOUT.format(
        locale=locale,
        subject=html.escape(subject),
        font=_FONT,
        breaking="keep-all" if locale == "ko" else "normal",
        brand=brand,
        colour=colour,
        body=body,
        footer=footer,
    )


def text_colour(background: str) -> str:
    """Black or white, whichever is easier to read on the colour `#RRGGBB`."""
    red, green, blue = (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    luminance = 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)
    return "#111418" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"


def _linear(channel: float) -> float:
    """A channel of sRGB, 0 to 1, as light."""
    linear: float = channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
    return linear
