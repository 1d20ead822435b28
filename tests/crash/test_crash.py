"""Design §7: kill -9 under load, again and again; nothing acknowledged is ever missing."""

from __future__ import annotations

from tests.crash.harness import run

KILLS = 30


def test_a_server_killed_under_load_keeps_all_it_acknowledged() -> None:
    report = run(KILLS, seed=1)
    assert report.problems == []
    assert report.kills == KILLS
    assert report.integrity_checks == KILLS // 5 + 1
    assert report.acknowledged_writes > 10 * KILLS
    assert report.acknowledged_users >= KILLS // 2
    assert report.unanswered > KILLS  # it was under load each time
