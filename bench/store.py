"""Result files: `<date>-<slug>.json` with every round, `.md` to be read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.report import markdown
from bench.results import Outcome
from bench.targets import verdicts

RESULTS = Path(__file__).with_name("results")


def save(outcome: Outcome, slug: str) -> Path:
    """Write both files and return the readable one; a run of the same name is replaced."""
    RESULTS.mkdir(exist_ok=True)
    base = RESULTS / f"{outcome.date}-{slug}"
    base.with_suffix(".json").write_text(json.dumps(_plain(outcome), indent=2) + "\n")
    readable = base.with_suffix(".md")
    readable.write_text(markdown(outcome))
    return readable


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "date": outcome.date,
        "plan": asdict(outcome.plan),
        "machine": asdict(outcome.machine),
        "busy_elsewhere": outcome.busy_elsewhere,
        "versions": outcome.versions,
        "loads": {
            workload.key: {
                name: {
                    "requests_per_second": load.requests_per_second,
                    "p99_ms": load.p99_ms,
                    **asdict(load),
                }
                for name, load in loads.items()
            }
            for workload, loads in outcome.loads.items()
        },
        "starts": {name: asdict(starts) for name, starts in outcome.starts.items()},
        "targets": [asdict(verdict) for verdict in verdicts(outcome)],
    }
