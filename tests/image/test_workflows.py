"""The workflows: rights as small as they can be, and actions that nobody can exchange."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".github" / "workflows"
WRITES: Final = {"packages", "id-token", "attestations"}
FILES: Final = sorted(FOLDER.glob("*.yaml"))


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(file.read_text())["jobs"])


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(file).values() for step in job.get("steps", ())]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_action_is_pinned_by_a_commit_with_its_version_beside_it(file: Path) -> None:
    uses = re.findall(r"uses: (\S+)(.*)", file.read_text())
    foreign = [(name, comment) for name, comment in uses if not name.startswith("./")]
    assert foreign
    for name, comment in foreign:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


def test_one_action_is_pinned_to_one_commit() -> None:
    pins = {name.partition("@")[::2] for file in FILES for name in re.findall(r"uses: (\S+@\S+)", file.read_text())}
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_job_asks_for_its_own_rights_and_a_checkout_keeps_none(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["permissions"] == {}
    for name, job in jobs(file).items():
        assert job["permissions"]["contents"] == "read", name
        granted = {right for right, level in job["permissions"].items() if level == "write"}
        assert granted <= (WRITES if file.name == "release.yaml" and name != "test" else set()), name
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_script_takes_in_what_others_can_choose(file: Path) -> None:
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []


def test_a_release_is_tested_and_scanned_before_it_is_published() -> None:
    release = FOLDER / "release.yaml"
    assert jobs(release)["image"]["needs"] == "test"
    assert jobs(release)["chart"]["needs"] == "image"
    order = [step.get("uses", "").partition("@")[0] for step in jobs(release)["image"]["steps"]]
    assert order.index("anchore/scan-action") < order.index("docker/login-action")


@pytest.mark.parametrize("target", ["check", "test", "e2e-kind"])
def test_ci_runs_the_commands_of_the_makefile(target: str) -> None:
    assert f"make {target}" in [step.get("run") for step in steps(FOLDER / "ci.yaml")]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
