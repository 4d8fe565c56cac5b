"""Where figures are kept: those of the last runs in .cache/bench.json, and what the documentation tells in docs/data.

`python -m tools.bench keep` copies the former to the latter, from which `make generate` writes the page on scale. What
is told of a machine is what others can compare theirs with: never its name, nor where files are.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tools.bench.stage import ROOT

RESULT: Final = ROOT / ".cache" / "bench.json"
KEPT: Final = ROOT / "docs" / "data" / "bench"

Results = dict[str, dict[str, Any]]
"""What one run found, by a name for what it measured."""


def note(name: str, command: str, load: float, figures: Mapping[str, Any]) -> None:
    """Keep them, in place of those of the last run of that name. `load` is how busy the machine was before."""
    results = last()
    results[name] = {"command": command, "machine": machine() | {"load_before": round(load, 1)}, "figures": figures}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=2) + "\n")


def last() -> Results:
    """Of the last runs."""
    return dict(json.loads(RESULT.read_text())) if RESULT.exists() else {}


def keep() -> list[Path]:
    """For the documentation."""
    KEPT.mkdir(parents=True, exist_ok=True)
    written = []
    for name, result in last().items():
        path = KEPT / f"{name}.json"
        path.write_text(json.dumps(_rounded(result), indent=2) + "\n")
        written.append(path)
    return written


def kept() -> Results:
    """What the documentation tells."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))}


def machine() -> dict[str, Any]:
    with open("/proc/meminfo") as told:  # noqa: PTH123 - no file
        memory = int(told.readline().split()[1]) / 2**20
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "python": platform.python_version(),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def _rounded(value: Any) -> Any:
    """Four digits are more than repeats."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
