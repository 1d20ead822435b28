"""What is measured, and what wrk sends for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from bench.documents import bodies, searches

PAGE_SIZE = 20
VIEWS_ABOVE = 5_000
MIXED_WRITE_EVERY = 20
CREATE_BODIES = 2_000
BATCH_SIZE = 100


class Workload(Enum):
    """A kind of request, with the title it carries in the report, in the order of measuring:
    servers that create faster would have more to list afterwards."""

    READ = "read by id"
    NEWEST = f"list of {PAGE_SIZE}, newest first, with total"
    FILTERED = f"list of {PAGE_SIZE}, indexed equality filter, with total"
    COMPARED = f"list of {PAGE_SIZE}, comparison without an index, with total"
    SEARCHED = f"list of {PAGE_SIZE}, search in all texts, with total"
    MIXED = f"the filtered list, every {MIXED_WRITE_EVERY}th request a create"
    CREATE = "create"
    BATCH = f"create {BATCH_SIZE} in one request"

    @property
    def key(self) -> str:
        """The name used on the command line and in result files."""
        return self.name.lower()

    @property
    def is_list(self) -> bool:
        return self in _LISTS


_LISTS = (Workload.NEWEST, Workload.FILTERED, Workload.COMPARED, Workload.SEARCHED)


@dataclass(frozen=True)
class Addresses:
    """Where a peer answers: the same questions in its own words."""

    headers: Mapping[str, str]
    records: str
    ids: Sequence[str]
    newest: str
    filtered: Sequence[str]
    compared: str
    searched: Callable[[str], str]
    batch_path: str
    batch_body: Callable[[Sequence[str]], str]
    """The body that creates the given documents, each already JSON."""


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
        case Workload.SEARCHED:
            return Traffic(at.headers, [at.searched(text) for text in searches()])
        case Workload.BATCH:
            new = bodies(CREATE_BODIES, seed=4)
            starts = range(0, CREATE_BODIES, BATCH_SIZE)
            groups = [new[start : start + BATCH_SIZE] for start in starts]
            batches = [at.batch_body(group) for group in groups]
            return Traffic(at.headers, (), at.batch_path, batches, write_every=1)
        case Workload.CREATE:
            new = bodies(CREATE_BODIES, seed=2)
            return Traffic(at.headers, (), at.records, new, write_every=1)
        case Workload.MIXED:
            new = bodies(CREATE_BODIES, seed=3)
            return Traffic(at.headers, at.filtered, at.records, new, MIXED_WRITE_EVERY)
