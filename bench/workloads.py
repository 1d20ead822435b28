"""What is measured, and what wrk sends for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from bench.documents import bodies

PAGE_SIZE = 20
VIEWS_ABOVE = 5_000
MIXED_WRITE_EVERY = 20
CREATE_BODIES = 2_000


class Workload(Enum):
    """A kind of request, with the title it carries in the report."""

    READ = "read by id"
    NEWEST = f"list of {PAGE_SIZE}, newest first, with total"
    FILTERED = f"list of {PAGE_SIZE}, indexed equality filter, with total"
    COMPARED = f"list of {PAGE_SIZE}, comparison without an index, with total"
    CREATE = "create"
    MIXED = f"the filtered list, every {MIXED_WRITE_EVERY}th request a create"

    @property
    def key(self) -> str:
        """The name used on the command line and in result files."""
        return self.name.lower()

    @property
    def is_list(self) -> bool:
        return self in (Workload.NEWEST, Workload.FILTERED, Workload.COMPARED)


@dataclass(frozen=True)
class Addresses:
    """Where a peer answers: the same questions in its own words."""

    headers: Mapping[str, str]
    records: str
    ids: Sequence[str]
    newest: str
    filtered: Sequence[str]
    compared: str


@dataclass(frozen=True)
class Traffic:
    """Requests for wrk: GETs of random `paths`, and every `write_every`th a POST of a body."""

    headers: Mapping[str, str]
    paths: Sequence[str] = ()
    write_path: str = ""
    bodies: Sequence[str] = ()
    write_every: int = 0


def traffic(workload: Workload, at: Addresses) -> Traffic:
    """What to send to a peer for a workload."""
    match workload:
        case Workload.READ:
            return Traffic(at.headers, [f"{at.records}/{id_}" for id_ in at.ids])
        case Workload.NEWEST:
            return Traffic(at.headers, [at.newest])
        case Workload.FILTERED:
            return Traffic(at.headers, at.filtered)
        case Workload.COMPARED:
            return Traffic(at.headers, [at.compared])
        case Workload.CREATE:
            new = bodies(CREATE_BODIES, seed=2)
            return Traffic(at.headers, (), at.records, new, write_every=1)
        case Workload.MIXED:
            new = bodies(CREATE_BODIES, seed=3)
            return Traffic(at.headers, at.filtered, at.records, new, MIXED_WRITE_EVERY)
