"""A server whose tables are made for questions about records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import httpx
import pytest

from tests.engines import ENGINES, Engine, new_url
from tests.people import People, sign_up_people
from tests.servers import RunningServer

TABLES = """
version: 1
tables:
  articles:
    fields:
      title: {type: string, required: true, maxLength: 20}
      slug: {type: string, unique: true}
      status: {type: string, enum: [draft, published], default: draft}
      views: {type: number, default: 0}
      tags: {type: array, items: {type: string}}
    permissions:
      user: {create: true, read: true, list: true}
      self: {update: true, delete: true}
      guest: {read: true, list: true}
  typed:
    fields:
      title: {type: string, required: true, minLength: 2, maxLength: 5, pattern: "^[a-zé]"}
      kind: {type: string, enum: [a, b], default: a}
      count: {type: integer, minimum: 0, maximum: 10}
      big: {type: integer}
      price: {type: number}
      done: {type: boolean}
      due: {type: date}
      tags: {type: array, items: {type: string, maxLength: 3}, minItems: 1, maxItems: 3}
      dates: {type: array, items: {type: date}}
      address:
        type: object
        properties:
          city: {type: string, required: true}
          zip: {type: number}
      place:
        type: object
        properties:
          city: {type: string}
          country: {type: string, default: kr}
      author: {type: reference}
      any: {type: mixed}
      must: {type: boolean, required: true, default: true}
  strict:
    strict: true
    fields:
      title: {type: string}
  filters:
    fields:
      name: {type: string}
      due: {type: date}
      level: {type: number}
      days: {type: array, items: {type: date}}
      trip: {type: object, properties: {start: {type: date}}}
      stops: {type: array, items: {type: object, properties: {at: {type: date}}}}
    indexes:
      - {name: level, fields: {level: 1}}
  sorts: {fields: {name: {type: string}}}
  pages: {fields: {name: {type: string}}}
  selects: {fields: {name: {type: string}}}
  free: {fields: {name: {type: string}}}
  members:
    fields: {email: {type: string, unique: true}}
  pairs:
    fields: {a: {type: number}, b: {type: number}}
    indexes:
      - {name: pair, fields: {a: 1, b: 1}, unique: true}
  defaults: {fields: {name: {type: string}}}
  closed: {fields: {name: {type: string}}, permissions: {}}
  guestless: {fields: {name: {type: string}}, permissions: {guest: {}}}
  guests: {fields: {name: {type: string}}, permissions: {guest: {create: true, read: true}}}
  readers: {fields: {name: {type: string}}, permissions: {user: {read: true}}}
  unlisted: {fields: {name: {type: string}}, permissions: {user: {read: true, list: false}}}
  shared: {fields: {name: {type: string}}, permissions: {user: {list: true}, self: {list: true}}}
  makers: {fields: {name: {type: string}}, permissions: {self: {create: true, read: true}}}
  admins: {fields: {name: {type: string}}, permissions: {admin: {read: true, list: true}}}
  notes:
    fields: {text: {type: string, required: true}}
    permissions:
      user: {create: true}
      self: {read: true, update: true, delete: true, list: true}
"""


class House:
    """A served engine and whoever calls it, until the end of the run."""

    def __init__(self, directory: Path, database_url: str | None) -> None:
        self.server = RunningServer(directory, database_url=database_url)
        self._clients: list[httpx.Client] = []

    @cached_property
    def people(self) -> People:
        return sign_up_people(self.server)

    @cached_property
    def anonymous(self) -> httpx.Client:
        return self._kept(self.server.client())

    @cached_property
    def admin(self) -> httpx.Client:
        return self._kept(self.server.client(self.server.secret))

    @cached_property
    def owner(self) -> httpx.Client:
        return self._kept(self.people.owner.client())

    @cached_property
    def other(self) -> httpx.Client:
        return self._kept(self.people.other.client())

    def _kept(self, client: httpx.Client) -> httpx.Client:
        self._clients.append(client)
        return client

    def open(self) -> None:
        """Make the tables and serve."""
        self.server.init()
        self.server.apply(TABLES)
        self.server.start()

    def close(self) -> None:
        """An orderly end, without a fault in the log."""
        for client in self._clients:
            client.close()
        assert self.server.stop() == 0
        assert "Traceback" not in self.server.log


@pytest.fixture(scope="session")
def houses() -> Iterator[dict[Engine, House]]:
    """By engine, those that were needed so far: changing the engine does not end the other."""
    found: dict[Engine, House] = {}
    with ExitStack() as closing:
        yield found
        for house in found.values():
            closing.callback(house.close)


@pytest.fixture(scope="session", params=ENGINES)
def house(
    request: pytest.FixtureRequest,
    houses: dict[Engine, House],
    tmp_path_factory: pytest.TempPathFactory,
) -> House:
    """The engine's; every test uses a table, or rows, of its own."""
    engine: Engine = request.param
    if engine not in houses:
        found = House(tmp_path_factory.mktemp("records"), new_url(engine, request))
        found.open()
        houses[engine] = found
    return houses[engine]


@pytest.fixture(scope="session")
def server(house: House) -> RunningServer:
    """One server for this package and engine."""
    return house.server


@pytest.fixture(scope="session")
def people(house: House) -> People:
    """Users of every kind on this package's server."""
    return house.people


@pytest.fixture(scope="session")
def anonymous(house: House) -> httpx.Client:
    """The publishable key alone."""
    return house.anonymous


@pytest.fixture(scope="session")
def admin(house: House) -> httpx.Client:
    """The secret key alone."""
    return house.admin


@pytest.fixture(scope="session")
def owner(house: House) -> httpx.Client:
    """A signed-in plain user."""
    return house.owner


@pytest.fixture(scope="session")
def other(house: House) -> httpx.Client:
    """Another signed-in plain user."""
    return house.other
