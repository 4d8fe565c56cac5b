"""Requests as the servers count them, by verb and path: the API server in its audit log, Coder in its metrics.

Neither asks the operator what it thinks it sends.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.stage import MeasuredCoder, Stage
from tools.server_process import CoderServer

OURS: Final = "coder-enterprise-operator"
WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_PROCESSED: Final = re.compile(
    r'coderd_api_requests_processed_total\{code="\d+",method="(?P<method>\w+)",path="(?P<path>[^"]+)"\} (?P<count>\S+)'
)
WHOLE: Final = b'{"kind":"Event",'


@dataclass(frozen=True)
class Mark:
    """Up to where was counted."""

    position: int
    coder: Counter[str]


@dataclass(frozen=True)
class Requests:
    kubernetes: Counter[str]
    """By verb, resource and subresource: those of one program."""
    coder: Counter[str]
    """By method and path, whoever sent them."""

    @property
    def written(self) -> int:
        """Writes to Kubernetes, but those to Leases."""
        return sum(count for what, count in self.kubernetes.items() if _writes(what) and "leases" not in what)

    @property
    def changed(self) -> int:
        """Writes to Coder."""
        return sum(count for what, count in self.coder.items() if not what.startswith("GET "))


def mark(stage: Stage) -> Mark:
    return Mark(stage.plane.audit_log.stat().st_size, _of_coder(stage.coders))


def since(stage: Stage, start: Mark, program: str = OURS) -> Requests:
    """What was sent since then; `program` is how the user agent of the sender begins."""
    counted: Counter[str] = Counter()
    with stage.plane.audit_log.open("rb") as log:
        log.seek(start.position)
        for line in log:
            if not (line.startswith(WHOLE) and line.endswith(b"\n")):
                continue  # half of one, which the API server was writing when we looked
            entry = json.loads(line)
            if _counts(entry) and entry.get("userAgent", "").startswith(program):
                counted[_name(entry)] += 1
    coder = _of_coder(stage.coders)
    coder.subtract(start.coder)
    return Requests(counted, Counter({what: count for what, count in coder.items() if count}))


def _counts(entry: dict[str, Any]) -> bool:
    """Once for each request: a watch lasts, and is told of when it begins."""
    return bool(entry["stage"] == ("ResponseStarted" if entry["verb"] == "watch" else "ResponseComplete"))


def _name(entry: dict[str, Any]) -> str:
    reference = entry.get("objectRef") or {}
    resource = reference.get("resource") or entry["requestURI"].partition("?")[0]
    subresource = reference.get("subresource")
    return f"{entry['verb']} {resource}" + (f"/{subresource}" if subresource else "")


def _writes(what: str) -> bool:
    return what.partition(" ")[0] in WRITES


def _of_coder(servers: Sequence[CoderServer]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for server in servers:
        if not isinstance(server, MeasuredCoder):
            raise TypeError("a server that does not tell what it was asked")
        with urllib.request.urlopen(f"http://{server.metrics_address}/metrics", timeout=30) as answer:
            for found in _PROCESSED.finditer(answer.read().decode()):
                counted[f"{found['method']} {found['path']}"] += int(float(found["count"]))
    return counted
