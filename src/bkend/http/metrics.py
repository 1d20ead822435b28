"""Prometheus metrics, counted in plain dictionaries and rendered when asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest

_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Requests by route, method and status, and how long they took."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str, int], list[float]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        held = self._held.get((route, method, status))
        if held is None:
            # How many took at most each bound, more than all of them, and the seconds in all.
            held = self._held[route, method, status] = [0.0] * (len(_BOUNDS) + 2)
        held[bisect_left(_BOUNDS, seconds)] += 1
        held[-1] += seconds

    def collect(self) -> Iterable[Any]:
        """The families, for prometheus-client."""
        requests = CounterMetricFamily(
            "bkend_http_requests",
            "Answered requests",
            labels=["route", "method", "status"],
        )
        by_route: dict[str, list[float]] = {}
        for (route, method, status), held in list(self._held.items()):
            requests.add_metric([route, method, str(status)], sum(held[:-1]))
            sums = by_route.get(route)
            added = held if sums is None else [a + b for a, b in zip(sums, held, strict=True)]
            by_route[route] = list(added)
        yield requests
        durations = HistogramMetricFamily(
            "bkend_http_request_duration_seconds",
            "Time from the request's headers to the end of its answer",
            labels=["route"],
        )
        for route, held in by_route.items():
            durations.add_metric([route], _cumulated(held), sum_value=held[-1])
        yield durations

    def summary(self) -> dict[str, Any]:
        """The answers so far: `count`, `errors` (5xx), their share, and how long half of them and
        19 of 20 took at most, in milliseconds."""
        totals, errors = [0.0] * (len(_BOUNDS) + 1), 0.0
        for (_, _, status), held in list(self._held.items()):
            totals = [a + b for a, b in zip(totals, held[:-1], strict=True)]
            errors += sum(held[:-1]) if status >= 500 else 0
        count = sum(totals)
        return {
            "count": int(count),
            "errors": int(errors),
            "errorShare": round(errors / count, 4) if count else 0.0,
            "p50Ms": _quantile(totals, 0.5),
            "p95Ms": _quantile(totals, 0.95),
        }

    def render(self) -> bytes:
        """The text exposition."""
        return generate_latest(self._registry)


def _cumulated(held: list[float]) -> list[tuple[str, float]]:
    total = 0.0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, _BOUNDS), "+Inf"], held[:-1], strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


def _quantile(counts: list[float], share: float) -> float | None:
    """The time in ms that this share of the answers took at most, estimated within a bucket; of
    the last one only its beginning is known."""
    wanted, seen, low = sum(counts) * share, 0.0, 0.0
    for count, bound in zip(counts, (*_BOUNDS, _BOUNDS[-1]), strict=True):
        if count and seen + count >= wanted:
            return round((low + (bound - low) * (wanted - seen) / count) * 1000, 2)
        seen, low = seen + count, bound
    return None
