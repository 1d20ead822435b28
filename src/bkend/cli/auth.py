"""`bkend auth`: what an environment sets for sign-in (00 §11)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Data, Env, Json, Project, Refused, Server, example, new_app
from bkend.cli.output import print_json, print_table

if TYPE_CHECKING:
    from bkend.cli.access.sign_in import SignIn

app = new_app("auth", help="Settings of sign-in, per environment.")


@app.callback()
def _group() -> None:
    """Settings of sign-in, per environment."""


@app.command(
    epilog=example(
        "bkend auth settings --project app --env dev",
        "bkend auth settings --project app --env dev --set accessTokenTtlSeconds=900",
        "bkend auth settings --env prod --server https://api.example.com",
    )
)
def settings(
    project: Project = None,
    env: Env = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Change a setting, null brings its default back; may be repeated.",
        ),
    ] = None,
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Show the settings of sign-in, after changing those given with --set."""
    changes = dict(_change(text) for text in set or ())
    from bkend.cli.access.opening import Where, run_at
    from bkend.cli.access.sign_in import SIGN_IN

    async def work(access: SignIn) -> Mapping[str, Any]:
        here = await access.at(project, env)
        return await (here.change(changes) if changes else here.settings())

    values = run_at(Where(data, server), SIGN_IN, work)
    if json:
        print_json(dict(values))
        return
    print_table(
        ("Setting", "Value"),
        [(name, _shown(value)) for name, value in values.items()],
    )


@app.command(
    epilog=example(
        "bkend auth providers --project app --env dev",
        "bkend auth providers google --client-id ID --client-secret-file google.secret",
        "bkend auth providers acme --issuer https://id.acme.example --client-id ID "
        "--client-secret-env ACME_SECRET",
        "bkend auth providers google --disabled",
        "bkend auth providers --env prod --server https://api.example.com",
    )
)
def providers(
    name: Annotated[
        str | None,
        typer.Argument(help="google, github, or a name of your own. Without: list all."),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The client id that the provider gave.")
    ] = None,
    client_secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read the client secret from here; - is stdin."),
    ] = None,
    client_secret_env: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="Read the client secret from this variable."),
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="URL", help="The OpenID Connect provider's address.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The address of a GitHub Enterprise Server.")
    ] = None,
    redirect_uri: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where the provider sends browsers; default: here."),
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="What to ask for; may be repeated.")
    ] = None,
    additional_client_id: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A native app's client id; may be repeated."),
    ] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enabled/--disabled", help="Switch it on or off.")
    ] = None,
    remove: Annotated[bool, typer.Option(help="Forget the provider's configuration.")] = False,
    project: Project = None,
    env: Env = None,
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Show the providers that users may sign in with, after configuring the one that is named."""
    given = {
        "clientId": client_id,
        "clientSecret": _secret(client_secret_file, client_secret_env),
        "issuer": issuer,
        "baseUrl": base_url,
        "redirectUri": redirect_uri,
        "scopes": scope or None,
        "additionalClientIds": additional_client_id or None,
        "enabled": enabled,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if name is None and (changes or remove):
        raise typer.BadParameter("name the provider to configure", param_hint="NAME")
    if remove and changes:
        raise typer.BadParameter("it goes alone", param_hint="--remove")
    from bkend.cli.access.opening import Where, run_at
    from bkend.cli.access.sign_in import SIGN_IN

    async def work(access: SignIn) -> list[dict[str, Any]]:
        here = await access.at(project, env)
        if name is not None and remove:
            await here.remove(name)
        elif name is not None and changes:
            await here.configure(name, changes)
        elif name is not None:
            return [await here.provider(name)]
        return await here.providers()

    items = run_at(Where(data, server), SIGN_IN, work)
    if json:
        print_json({"items": items})
        return
    print_table(
        ("Provider", "Enabled", "Client id", "Secret", "Server"),
        [
            (
                item["provider"],
                _shown(item["enabled"]),
                _shown(item["clientId"]),
                "set" if item["hasClientSecret"] else "-",
                _shown(item.get("issuer") or item.get("baseUrl")),
            )
            for item in items
        ],
    )


def _secret(file: Path | None, variable: str | None) -> str | None:
    """The client secret, which never stands on the command line: other users could read it."""
    import os
    import sys

    if file is not None and variable is not None:
        raise typer.BadParameter("one source is enough", param_hint="--client-secret-env")
    if variable is not None:
        if not os.environ.get(variable):
            raise Refused(f"the variable {variable} is not set")
        return os.environ[variable].strip()
    if file is None:
        return None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{file}: not a text") from None
    return text.strip()


def _change(text: str) -> tuple[str, Any]:
    import orjson

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter("write KEY=VALUE", param_hint="--set")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None else str(value)
