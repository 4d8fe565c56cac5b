"""`make e2e-node` names what is missing, and installs it only when it is told to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.node import cgroups, prerequisites
from tools.node.prerequisites import PROGRAMS, Missing, see_to


def program(folder: Path, name: str, script: str = "") -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's, with every program but containerd; its folder of programs."""
    plugin = str(tmp_path / "ptp")
    monkeypatch.setattr(prerequisites, "PROGRAMS", {**PROGRAMS, plugin: PROGRAMS["/usr/lib/cni/ptp"]})
    monkeypatch.delitem(prerequisites.PROGRAMS, "/usr/lib/cni/ptp")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(prerequisites, "HIDDEN", ())
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    (tmp_path / "cgroup.subtree_control").write_text("cpu cpuset memory pids\n")
    for name in {*PROGRAMS, "ptp"} - {"containerd", "/usr/lib/cni/ptp"}:
        program(tmp_path, name)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_packages_of_missing_programs_are_named(machine: Path) -> None:
    with pytest.raises(Missing, match=r"apt-get install --yes --no-install-recommends containerd; .*--install"):
        see_to(install=False)


def test_packages_are_installed_when_that_is_asked_for(machine: Path) -> None:
    calls = machine / "calls"
    program(machine, "apt-get", f'echo "$@" >>{calls}; /bin/cp {machine}/runc {machine}/containerd')
    see_to(install=True)
    assert calls.read_text().splitlines()[-1] == "install --yes --no-install-recommends containerd"


def test_a_failure_of_apt_is_told(machine: Path) -> None:
    program(machine, "apt-get", "echo no network >&2; exit 100")
    with pytest.raises(Missing, match="apt-get update"):
        see_to(install=True)


def test_it_needs_root(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Missing, match="needs Linux and root"):
        see_to(install=False)


def test_it_needs_namespaces(machine: Path) -> None:
    program(machine, "containerd")
    program(machine, "unshare", "echo Operation not permitted >&2; exit 1")
    with pytest.raises(Missing, match=r"may not make namespaces here.*Operation not permitted"):
        see_to(install=False)


def test_it_needs_cgroups_that_can_be_written(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine, "containerd")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    monkeypatch.setattr("shutil.which", lambda name: name)
    with pytest.raises(Missing, match="no cgroup can be made in"):
        see_to(install=False)


def test_it_needs_the_controllers_of_a_kubelet(machine: Path) -> None:
    program(machine, "containerd")
    (machine / "cgroup.subtree_control").write_text("cpu cpuset pids\n")
    with pytest.raises(Missing, match="no new cgroup would have memory"):
        see_to(install=False)


def test_a_clone_where_the_node_has_its_own_folders_is_refused(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "HIDDEN", (Path(prerequisites.__file__).parents[2],))
    with pytest.raises(Missing, match="clone elsewhere"):
        see_to(install=False)
