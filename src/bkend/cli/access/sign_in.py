"""Settings of sign-in and its providers (00 §11, 51 §3.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from bkend.cli.access.opening import Kind
from bkend.cli.access.places import RemotePlace, local_environment, remote_place
from bkend.cli.access.remote import Remote
from bkend.cli.commands import Refused

if TYPE_CHECKING:
    from bkend.auth.settings import StoredSettings
    from bkend.auth.social.providers import Providers
    from bkend.core import Core
    from bkend.manage.recording import Report, Subject

_POLICY = "passwordPolicy."
_EMAIL = "email."


class SignIn(Protocol):
    """What `bkend auth` does."""

    async def at(self, project: str | None, env: str | None) -> SignInHere:
        """Sign-in of one environment; what is None must be the only one."""
        ...


class SignInHere(Protocol):
    """Sign-in of one environment."""

    async def settings(self) -> Mapping[str, Any]:
        """All settings by their names."""
        ...

    async def change(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change some, null brings a default back; all of them. Raises Refused."""
        ...

    async def providers(self) -> list[dict[str, Any]]:
        """The providers without their secrets."""
        ...

    async def provider(self, name: str) -> dict[str, Any]:
        """One of them."""
        ...

    async def configure(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change what is given of a provider."""
        ...

    async def remove(self, name: str) -> None:
        """Forget a provider's configuration."""
        ...


class LocalSignIn:
    """Sign-in of a data directory's environments."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def at(self, project: str | None, env: str | None) -> SignInHere:
        """See SignIn."""
        from bkend.manage.activity import COMMAND_LINE, Place
        from bkend.manage.recording import Report
        from bkend.subjects import SIGN_IN_PROVIDER, SIGN_IN_SETTINGS

        place, environment = await local_environment(self._core, project, env)
        site = Place(place.organization_id, place.project_id, place.environment)

        def report(subject: Subject) -> Report:
            return Report(subject, COMMAND_LINE, site)

        services = environment.services
        return _LocalSignInHere(
            services.auth.settings,
            services.social.providers,
            report(SIGN_IN_SETTINGS),
            report(SIGN_IN_PROVIDER),
        )


class _LocalSignInHere:
    def __init__(
        self,
        settings: StoredSettings,
        providers: Providers,
        of_settings: Report,
        of_provider: Report,
    ) -> None:
        self._settings = settings
        self._providers = providers
        self._of_settings = of_settings
        self._of_provider = of_provider

    async def settings(self) -> Mapping[str, Any]:
        return (await self._settings.current()).values

    async def change(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        from bkend.auth.settings import AuthSettingProblem
        from bkend.manage.recording import reporting

        try:
            with reporting(self._of_settings):
                return (await self._settings.update(changes)).values
        except AuthSettingProblem as error:
            raise Refused(str(error)) from error

    async def providers(self) -> list[dict[str, Any]]:
        return [provider.shape for provider in await self._providers.list()]

    async def provider(self, name: str) -> dict[str, Any]:
        return (await self._providers.find(name)).shape

    async def configure(self, name: str, changes: Mapping[str, Any]) -> None:
        from bkend.auth.social.configuration import ProviderProblem
        from bkend.manage.recording import reporting

        try:
            with reporting(self._of_provider):
                await self._providers.update(name, changes)
        except ProviderProblem as error:
            raise Refused(str(error)) from error

    async def remove(self, name: str) -> None:
        from bkend.manage.recording import reporting

        with reporting(self._of_provider):
            await self._providers.delete(name)


class RemoteSignIn:
    """Sign-in of environments at a server."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def at(self, project: str | None, env: str | None) -> SignInHere:
        """See SignIn."""
        return _RemoteSignInHere(self._remote, await remote_place(self._remote, project, env))


class _RemoteSignInHere:
    """The API keeps what belongs to e-mail with the provider `email`, all else in `settings`."""

    def __init__(self, remote: Remote, place: RemotePlace) -> None:
        self._remote = remote
        self._settings = f"{place.path}/auth/settings"
        self._providers = f"{place.path}/auth/providers"

    async def settings(self) -> Mapping[str, Any]:
        general: dict[str, Any] = await self._remote.call("GET", self._settings)
        return general | _flat(await self._remote.call("GET", f"{self._providers}/email"))

    async def change(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Every value is looked at before the first is sent: there may be two calls."""
        from bkend.auth.settings import AuthSettingProblem, checked_changes

        try:
            changes = checked_changes(changes)
        except AuthSettingProblem as error:
            raise Refused(str(error)) from error
        known = await self._remote.call("GET", self._settings)
        general = {name: value for name, value in changes.items() if name in known}
        of_email = {name: value for name, value in changes.items() if name not in known}
        if of_email:
            await self._remote.call("PUT", f"{self._providers}/email", _nested(of_email))
        if general:
            await self._remote.call("PUT", self._settings, general)
        return await self.settings()

    async def providers(self) -> list[dict[str, Any]]:
        found = await self._remote.call("GET", self._providers, query={"limit": "100"})
        return [_as_stored(one) for one in found["items"] if one["provider"] != "email"]

    async def provider(self, name: str) -> dict[str, Any]:
        return _as_stored(await self._remote.call("GET", self._path(name)))

    async def configure(self, name: str, changes: Mapping[str, Any]) -> None:
        await self._remote.call("PUT", self._path(name), dict(changes))

    async def remove(self, name: str) -> None:
        await self._remote.call("DELETE", self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._providers}/oauth/{quote(name, safe='')}"


def _flat(provider: Mapping[str, Any]) -> dict[str, Any]:
    """The e-mail provider as settings by name."""
    others = {n: v for n, v in provider.items() if n not in ("provider", "enabled", _POLICY[:-1])}
    policy = {f"{_POLICY}{rule}": value for rule, value in provider[_POLICY[:-1]].items()}
    return {f"{_EMAIL}enabled": provider["enabled"], **others, **policy}


def _nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name as a body of the e-mail provider."""
    body = {n.removeprefix(_EMAIL): v for n, v in changes.items() if not n.startswith(_POLICY)}
    policy = {n.removeprefix(_POLICY): v for n, v in changes.items() if n.startswith(_POLICY)}
    return body | ({_POLICY[:-1]: policy} if policy else {})


def _as_stored(provider: Mapping[str, Any]) -> dict[str, Any]:
    """A provider without the addresses that follow from the server's own."""
    found = {name: value for name, value in provider.items() if name != "callbackUrl"}
    if found.get("redirectUri") == provider.get("callbackUrl"):
        found["redirectUri"] = None
    return found


SIGN_IN: Kind[SignIn] = Kind(LocalSignIn, RemoteSignIn)
