"""The alerts, the dashboard and the runbooks as they are delivered, with every PromQL expression in them.

Used by tests/monitoring. Which names an expression has is found by regular expressions: enough for expressions that
promtool has parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

ROOT: Final = Path(__file__).parents[2]
FILES: Final = ROOT / "charts" / "coder-enterprise" / "files"
ALERTS: Final = FILES / "alerts.yaml"
DASHBOARD: Final = FILES / "dashboard.json"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
RULE_TESTS: Final = ROOT / "tests" / "monitoring" / "rules"

_METRIC: Final = re.compile(r"\b((?:coder_enterprise|coderd|process)_\w+|up)\b(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING: Final = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_PROMQL_BLOCK: Final = re.compile(r"^```promql\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Expression(NamedTuple):
    where: str
    text: str


class Selector(NamedTuple):
    """A metric, and which labels are asked for which values."""

    metric: str
    matchers: tuple[tuple[str, str], ...]


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    return dict(json.loads(DASHBOARD.read_text()))


def expressions() -> Iterator[Expression]:
    for name, rule in alerts().items():
        yield Expression(f"alert {name}", rule["expr"])
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield Expression(f"panel {panel['title']}", target["expr"].replace("$__rate_interval", "5m"))
    for page in sorted(RUNBOOKS.glob("*.md")):
        for block in _PROMQL_BLOCK.findall(page.read_text()):
            for line in block.splitlines():
                yield Expression(f"runbook {page.stem}", line)


def selectors(expression: str) -> list[Selector]:
    return [Selector(metric, tuple(_MATCHER.findall(matchers))) for metric, matchers in _METRIC.findall(expression)]


def groupings(expression: str) -> set[str]:
    """The labels by which it aggregates or joins."""
    return {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",")}
