"""Copying what was designed in one environment into another of its project (51 §5, §8).

Tables with their indexes and permissions, the settings of sign-in, e-mail templates; never rows,
users, keys or the secrets of providers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bkend.environment import Environment
from bkend.mail.wording import CATEGORIES, LOCALES
from bkend.store import Conflict
from bkend.tables.errors import TableChanged, TableNotFound
from bkend.tables.service import definition_of


async def copy_tables(
    source: Environment, target: Environment, author: str, names: Collection[str] | None = None
) -> list[str]:
    """Bring tables of the target to what they are in the source; None is all. The names of those
    that were made or changed.

    Values of columns that the source does not have are kept as undeclared data. Raises
    TableNotFound for a name that the source does not have, DuplicateValue when rows of the target
    do not fit a unique index, TableChanged when somebody else changes a table meanwhile.
    """
    theirs = {table.name: table for table in await source.services.tables.list()}
    wanted = theirs if names is None else {name: name for name in names}
    for name in wanted:
        if name not in theirs:
            raise TableNotFound(name)
    changed: list[str] = []
    tables = target.services.tables
    for name in wanted:
        definition = definition_of(theirs[name])
        held = await tables.find(name)
        if held is None:
            await tables.create(definition, author)
            changed.append(name)
        elif definition_of(held) != definition:
            try:
                await tables.update(held, definition, author, erases=False)
            except Conflict:
                raise TableChanged from None
            changed.append(name)
    return changed


async def copy_sign_in(source: Environment, target: Environment) -> None:
    """The settings of sign-in, and providers without their secrets, which stay those of the
    target."""
    stored = (await source.services.auth.settings.current()).values
    held = (await target.services.auth.settings.current()).values
    changes: dict[str, Any] = {n: v for n, v in stored.items() if held.get(n) != v}
    if changes:
        await target.services.auth.settings.update(changes)
    providers = target.services.social.providers
    ours = {provider.name: provider for provider in await providers.list()}
    for provider in await source.services.social.providers.list():
        shape = provider.shape
        if not shape["clientId"]:
            continue
        kept = ("clientId", "scopes", "additionalClientIds", "issuer", "baseUrl")
        fields = {name: shape[name] for name in kept if shape.get(name)}
        known = ours.get(provider.name)
        has_secret = known is not None and known.sealed_secret is not None
        fields["enabled"] = provider.enabled and has_secret
        await providers.update(provider.name, fields)


async def copy_templates(source: Environment, target: Environment) -> None:
    """What all mails have in common, and customized templates."""
    theirs, ours = source.services.mail.templates, target.services.mail.templates
    await ours.update_config(await theirs.config())
    for category in CATEGORIES:
        for locale in LOCALES:
            found = await theirs.get(category, locale)
            if found["customized"]:
                await ours.update(category, locale, found["subject"], found["body"])
