"""Counting requests, and the text that Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from bkend.http.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_route_method_and_status() -> None:
    metrics = Metrics()
    for status in (200, 200, 404):
        metrics.observe("/v1/data/{table}", "GET", status, 0.001)
    metrics.observe("/healthz", "HEAD", 200, 0.001)
    found = samples(metrics)
    name = "bkend_http_requests_total"

    def count(route: str, method: str, status: str) -> float:
        labels = {"route": route, "method": method, "status": status}
        return found[(name, frozenset(labels.items()))]

    assert count("/v1/data/{table}", "GET", "200") == 2
    assert count("/v1/data/{table}", "GET", "404") == 1
    assert count("/healthz", "HEAD", "200") == 1


def test_durations_are_a_cumulative_histogram() -> None:
    metrics = Metrics()
    for seconds in (0.0001, 0.0005, 0.003, 0.7, 60.0):
        metrics.observe("/x", "GET", 200, seconds)
    found = samples(metrics)
    name = "bkend_http_request_duration_seconds"

    def bucket(bound: str) -> float:
        return found[(f"{name}_bucket", frozenset({"route": "/x", "le": bound}.items()))]

    assert bucket("0.0005") == 2
    assert bucket("0.001") == 2
    assert bucket("0.005") == 3
    assert bucket("1.0") == 4
    assert bucket("10.0") == 4
    assert bucket("+Inf") == 5
    route = frozenset({"route": "/x"}.items())
    assert found[(f"{name}_count", route)] == 5
    assert abs(found[(f"{name}_sum", route)] - 60.7036) < 1e-9


def test_process_is_described() -> None:
    text = Metrics().render().decode()
    assert "process_resident_memory_bytes" in text
    assert "python_info" in text


def test_two_of_them_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.observe("/x", "GET", 200, 0.1)
    assert "/x" not in other.render().decode()
