"""A server whose tables are made for questions about records."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.engines import ENGINES, new_url
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


@pytest.fixture(scope="session", params=ENGINES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """One server for this package and engine; every test uses a table, or rows, of its own."""
    found = RunningServer(tmp_path_factory.mktemp("records"))
    found.database_url = new_url(request.param, request)
    found.init()
    found.apply(TABLES)
    found.start()
    yield found
    assert found.stop() == 0
    assert "Traceback" not in found.log


@pytest.fixture(scope="session")
def people(server: RunningServer) -> People:
    """Users of every kind on this package's server."""
    return sign_up_people(server)


@pytest.fixture(scope="session")
def anonymous(server: RunningServer) -> Iterator[httpx.Client]:
    """The publishable key alone."""
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def admin(server: RunningServer) -> Iterator[httpx.Client]:
    """The secret key alone."""
    with server.client(server.secret) as client:
        yield client


@pytest.fixture(scope="session")
def owner(people: People) -> Iterator[httpx.Client]:
    """A signed-in plain user."""
    with people.owner.client() as client:
        yield client


@pytest.fixture(scope="session")
def other(people: People) -> Iterator[httpx.Client]:
    """Another signed-in plain user."""
    with people.other.client() as client:
        yield client
