"""What follows from the figures for who sizes an installation: part of docs/reference/scale.md."""

from __future__ import annotations

import math
from typing import Any, Final

import yaml

from tools.bench.results import Results
from tools.generate.chart import CHART

HEADROOM: Final = 1.5
"""Of a limit above what was measured at most."""
STEP: Final = 64
"""MiB, to which limits are rounded up."""


_TEXT: Final = """\
## Sizing

The operator's memory follows the number of objects. The limit here has half as much again as was measured at most, for
lists of Coder that are larger than what is declared, and for members.

| objects of one replica | measured at most | limit of memory |
| --- | --- | --- |
{rows}

- The chart's limit for the operator is {limit} MiB, which holds for {holds:,} small objects. With more, set
  `operator.resources.limits.memory`.
- One replica can have {most:,} objects: it was measured with as many, and all were compared {seconds:.0f} s after a
  restart. Think of etcd before: a hundred thousand objects are some hundreds of megabytes there, of usually 2 GiB.
- Replicas share CoderDeployments, not objects: a second one takes over when the first fails, and halves the work where
  there are several CoderDeployments of some size. It does not halve the memory: each replica watches all objects, and
  only lists of Coder are of its own share.
- Memory grows with the users of a Coder as well, since their names are looked up: see Memory by part.
- CPU is used when something changes, and at each resync. A longer `resyncInterval` of the CoderDeployment costs less,
  and finds drift later.
- The API server: SQLite serves one replica with thousands of requests a second; PostgreSQL is for two, which is for
  availability.
"""


def advice(results: Results) -> str:
    operator = {
        result["figures"]["objects"]: result["figures"]
        for name, result in sorted(results.items())
        if name.startswith(("seeded", "groups"))
    }
    if not operator:
        return "## Sizing\n\nNothing was measured.\n"
    rows = [f"| {size:,} | {_peak(found):,.0f} MiB | {needed(found)} MiB |" for size, found in sorted(operator.items())]
    return _TEXT.format(
        rows="\n".join(rows),
        limit=_limit(),
        holds=max((size for size in operator if needed(operator[size]) <= _limit()), default=0),
        most=max(operator),
        seconds=operator[max(operator)]["restart_seconds"],
    )


def needed(figures: dict[str, Any]) -> int:
    """MiB."""
    return math.ceil(_peak(figures) * HEADROOM / STEP) * STEP


def _peak(figures: dict[str, Any]) -> float:
    names = ("peak_mib", "restart_peak_mib", "end_peak_mib")
    return max(float(figures[name]) for name in names if name in figures)


def _limit() -> int:
    """MiB, of the operator in the chart."""
    text = yaml.safe_load((CHART / "values.yaml").read_text())["operator"]["resources"]["limits"]["memory"]
    return int(text.removesuffix("Mi")) if text.endswith("Mi") else int(text.removesuffix("Gi")) * 1024
