"""`bkend auth`: what an environment sets for sign-in (00 §11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Data, Env, Json, Project, Refused, example, new_app, run
from bkend.cli.output import print_json, print_table

if TYPE_CHECKING:
    from bkend.core import Core

app = new_app("auth", help="Settings of sign-in, per environment.")


@app.callback()
def _group() -> None:
    """Settings of sign-in, per environment."""


@app.command(
    epilog=example(
        "bkend auth settings --project app --env dev",
        "bkend auth settings --project app --env dev --set accessTokenTtlSeconds=900",
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
    json: Json = False,
) -> None:
    """Show the settings of sign-in, after changing those given with --set."""
    changes = dict(_change(text) for text in set or ())

    async def work(core: Core) -> Mapping[str, Any]:
        from bkend.auth.settings import AuthSettingProblem, StoredSettings

        place = await core.hierarchy.place(project, env)
        environment = await core.environments.get(place.environment_id)
        assert environment is not None
        stored = StoredSettings(environment.store, core.clock)
        try:
            found = await (stored.update(changes) if changes else stored.current())
        except AuthSettingProblem as error:
            raise Refused(str(error)) from error
        return found.values

    values = run(data, work)
    if json:
        print_json(dict(values))
        return
    print_table(
        ("Setting", "Value"),
        [(name, _shown(value)) for name, value in values.items()],
    )


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
