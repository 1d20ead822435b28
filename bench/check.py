"""One request of every kind before anything is measured: do the peers answer the same question?"""

from collections.abc import Sequence

from bench.client import Client
from bench.errors import BenchError
from bench.peers.peer import Peer
from bench.process import Server
from bench.workloads import PAGE_SIZE, Workload, traffic


def same_answers(peers: Sequence[tuple[Peer, Server]]) -> None:
    """Raise BenchError unless lists are full pages with equal totals and reads find documents."""
    for peer, server in peers:
        sent = traffic(Workload.READ, peer.addresses())
        record = Client(server.port, sent.headers).call("GET", sent.paths[0])
        if not {"id", "title", "content", "category", "status", "views", "tags"} <= record.keys():
            raise BenchError(f"{peer.name} answered a read with {sorted(record)}")
    for workload in Workload:
        if workload.is_list:
            totals = {peer.name: _total(peer, server, workload) for peer, server in peers}
            if len(set(totals.values())) > 1:
                raise BenchError(f"{workload.value}: totals differ: {totals}")


def _total(peer: Peer, server: Server, workload: Workload) -> int:
    sent = traffic(workload, peer.addresses())
    answer = Client(server.port, sent.headers).call("GET", sent.paths[0])
    total = peer.total(answer)
    if len(answer["items"]) != min(PAGE_SIZE, total):
        raise BenchError(f"{peer.name}, {workload.value}: {len(answer['items'])} items of {total}")
    return total
