"""`/console/`: until the console itself is part of this server, a page that says where to go."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bkend.http.base import base_url

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bkend</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto;
  padding: 0 1.25rem; }}
h1 {{ font-size: 1.6rem; margin-bottom: .25rem; }}
p.lead {{ opacity: .75; margin-top: 0; }}
code, pre {{ font: 14px/1.5 ui-monospace, monospace; }}
pre {{ padding: .9rem 1rem; border: 1px solid color-mix(in srgb, currentColor 20%, transparent);
  border-radius: .5rem; overflow-x: auto; }}
a {{ color: light-dark(#0b57d0, #8ab4f8); }}
</style>
</head>
<body>
<h1>This server is running</h1>
<p class="lead">API base: <code>{base}</code></p>
<p>The web console is not part of this version. Tables, permissions and keys are managed from
the command line:</p>
<pre>bkend keys list
bkend apply bkend.yaml --project app --env dev</pre>
<p>Start with <a href="/docs/guides/integrate">Integrate bkend in your app</a>, or read
<a href="/docs/">all of the documentation</a>.</p>
</body>
</html>
"""


async def _page(request: Request) -> Response:
    return HTMLResponse(
        _PAGE.format(base=base_url(request)),
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
        },
    )


async def _with_slash(request: Request) -> Response:
    return RedirectResponse("/console/")


routes = [Route("/console/", _page), Route("/console", _with_slash)]
