"""The alerts: Prometheus accepts them, they fire when they should and only then, and each has its runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.monitoring import ALERTS, RULE_TESTS, RUNBOOKS, alerts, expressions

SECTIONS: Final = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_rules(promtool: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", ALERTS)


def test_each_alert_fires_when_it_should_and_only_then(promtool: Path) -> None:
    run(promtool, "test", "rules", *sorted(RULE_TESTS.glob("*.yaml")))


def test_each_query_of_dashboard_and_runbooks_is_promql(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": query.text} for number, query in enumerate(expressions())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    run(promtool, "check", "rules", file)


@pytest.mark.parametrize("name", alerts())
def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(name: str) -> None:
    cases = yaml.safe_load((RULE_TESTS / f"{name}.yaml").read_text())["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    assert {check["alertname"] for check in checks} == {name}
    assert {bool(check["exp_alerts"]) for check in checks} == {True, False}


def test_each_runbook_and_each_rule_test_is_of_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == alerts().keys()
    assert {file.stem for file in RULE_TESTS.glob("*.yaml")} == alerts().keys()


@pytest.mark.parametrize(("name", "rule"), alerts().items())
def test_each_alert_says_how_bad_it_is_what_is_the_case_and_what_to_do(name: str, rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}.md")


@pytest.mark.parametrize("name", alerts())
def test_each_runbook_has_the_same_sections_and_a_command(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert "```promql\n" in text
    assert "```console\n" in text
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (RUNBOOKS / link).is_file(), link
