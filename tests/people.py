"""Users of every kind, for questions of who may do what."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from tests.backdoor import set_role
from tests.servers import RunningServer


@dataclass(frozen=True)
class Person:
    """A signed-in user."""

    server: RunningServer
    id: str
    token: str

    def client(self, key: str | None = None) -> httpx.Client:
        """A client with the user's token and, unless named, the publishable key."""
        return self.server.client(key, self.token)


@dataclass(frozen=True)
class People:
    """Two plain users, one whose role is `guest`, one of a custom role, one `admin`."""

    owner: Person
    other: Person
    guest: Person
    editor: Person
    admin: Person


def sign_up_people(server: RunningServer) -> People:
    """The users, made over HTTP; roles are given as an administrator would."""
    people = People(*(_person(server, name) for name in People.__dataclass_fields__))
    for name in ("guest", "editor", "admin"):
        set_role(server, getattr(people, name).id, name)
    return people


def _person(server: RunningServer, name: str) -> Person:
    made = server.sign_up(f"{name}@people.example", name=name)
    return Person(server, made["user"]["id"], made["accessToken"])
