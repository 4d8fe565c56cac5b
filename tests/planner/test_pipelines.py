"""The examples for pipelines do what they say: their scripts are run here as a runner would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.manifests import group
from tools.server_process import CoderServer

EXAMPLES = Path(__file__).parents[2] / "deploy" / "ci"


one_profile = pytest.mark.parametrize("server", ["documented"], indirect=True, scope="module")
"""What is printed does not depend on it."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout, with programs that only write down how they are called."""
    (tmp_path / "coder").mkdir()
    (tmp_path / "coder" / "group.yaml").write_text(yaml.safe_dump(group("piped", displayName="Piped")))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("curl", "gh"):
        (programs / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/{name}.txt"\n')
        (programs / name).chmod(0o755)
    return tmp_path


def run(script: str, workspace: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    path = f"{workspace / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=workspace,
        env={"PATH": path, "HOME": str(workspace), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def steps() -> dict[str, Any]:
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yaml").read_text())
    return {step.get("name", ""): step for step in workflow["jobs"]["plan"]["steps"]}


def with_token(server: CoderServer) -> dict[str, str]:
    return {"CODER_URL": server.url, "CODER_SESSION_TOKEN": server.token}


@one_profile
def test_github_shows_the_plan_as_a_summary_and_a_comment(workspace: Path, server: CoderServer) -> None:
    summary = workspace / "summary.md"
    environment = with_token(server) | {"GITHUB_STEP_SUMMARY": str(summary), "NUMBER": "7"}
    done = run(steps()["Plan"]["run"], workspace, environment)
    assert done.returncode == 0, done.stderr
    assert "**Plan: 1 to create" in summary.read_text()
    assert run(steps()["Comment"]["run"], workspace, environment).returncode == 0
    assert (workspace / "gh.txt").read_text().split()[:3] == ["pr", "comment", "7"]


@one_profile
def test_github_marks_a_fault_at_its_line_and_fails(workspace: Path, server: CoderServer) -> None:
    (workspace / "coder" / "bad.yaml").write_text(yaml.safe_dump(group("bad", quotaAllowance="many")))
    environment = with_token(server) | {"GITHUB_STEP_SUMMARY": str(workspace / "summary.md")}
    done = run(steps()["Plan"]["run"], workspace, environment)
    assert done.returncode == 1
    assert "::error file=coder/bad.yaml,line=1::" in done.stdout


def test_github_plans_without_coder_for_a_fork_which_gets_no_secrets(workspace: Path) -> None:
    environment = {"CODER_URL": "", "CODER_SESSION_TOKEN": "", "GITHUB_STEP_SUMMARY": str(workspace / "summary.md")}
    done = run(steps()["Plan"]["run"], workspace, environment)
    assert done.returncode == 0, done.stdout + done.stderr


@one_profile
def test_gitlab_posts_the_plan_as_a_note(workspace: Path, server: CoderServer) -> None:
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yaml").read_text())["coder-plan"]
    api = {"CI_API_V4_URL": "https://gitlab.test/api/v4", "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "6"}
    done = run("\n".join(job["script"]), workspace, with_token(server) | api | {"GITLAB_TOKEN": "hidden"})
    assert done.returncode == 0, done.stderr
    assert "**Plan: 1 to create" in done.stdout
    called = (workspace / "curl.txt").read_text()
    assert "https://gitlab.test/api/v4/projects/5/merge_requests/6/notes" in called
    assert "hidden" not in done.stdout + done.stderr
