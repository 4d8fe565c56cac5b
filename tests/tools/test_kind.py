"""`make e2e-kind`: says what it needs, and leaves no cluster behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.commands import StepFailed
from tools.examples import examples
from tools.kind.cluster import KindCluster

ROOT = Path(__file__).parents[2]


def program(folder: Path, name: str, script: str = "") -> None:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What kind was told; a file named `fails` lets it fail to create."""
    folder = tmp_path / "assets"
    script = f'echo "$1 $2" >>{tmp_path}/calls; [ "$1" != create ] || [ ! -e {tmp_path}/fails ]'
    program(folder, "kind", script)
    for name in ("kubectl", "helm"):
        program(folder, name)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    return tmp_path / "calls"


@pytest.mark.parametrize(
    ("docker", "problem"),
    [("", "There is no `docker` on the PATH"), ("echo no daemon >&2; exit 1", "`docker info` says: no daemon")],
)
def test_without_docker_it_says_so_and_what_to_install(tmp_path: Path, docker: str, problem: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    if docker:
        program(folder, "docker", docker)
    command = [sys.executable, "-m", "tools.kind"]
    environment = os.environ | {"PATH": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert problem in done.stderr
    assert "Install Docker Engine (https://docs.docker.com/engine/install/)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cluster_that_could_not_be_created_is_deleted(calls: Path) -> None:
    calls.with_name("fails").touch()
    with pytest.raises(StepFailed, match="kind create cluster"):
        KindCluster().__enter__()
    assert calls.read_text().splitlines() == ["create cluster", "delete cluster"]


def test_a_cluster_in_which_something_fails_is_deleted(calls: Path) -> None:
    cluster = KindCluster()
    with pytest.raises(ZeroDivisionError), cluster:
        raise ZeroDivisionError
    assert calls.read_text().splitlines() == ["create cluster", "delete cluster"]
    assert not cluster.folder.exists()


def test_the_examples_that_it_applies_need_nothing_that_is_not_there() -> None:
    kinds = {body["kind"] for body in examples()}
    assert kinds == {"CoderAppearance", "CoderGroup", "CoderLicense", "CoderTemplateACL", "CoderUser", "Secret"}
    texts = [body["stringData"].get("license", "signed") for body in examples() if body["kind"] == "Secret"]
    assert not [text for text in texts if text.startswith("paste-")]
