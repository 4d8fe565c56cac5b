"""What a run leaves outside of its namespaces is removed by it or by the next one, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.node import cgroups
from tools.node.scratch import PREFIX, remove_leftovers, scratch


@pytest.fixture
def hierarchies(tmp_path: Path) -> list[Path]:
    """Folders in place of cgroups; that of others is in each."""
    roots = [tmp_path / "cgroup" / name for name in ("memory", "cpuset")]
    for root in roots:
        (root / "others").mkdir(parents=True)
    return roots


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def leave(runs: Path, hierarchies: list[Path]) -> Path:
    """What a killed run leaves."""
    folder = runs / f"{PREFIX}killed"
    (folder / "images").mkdir(parents=True)
    for root in hierarchies:
        (root / folder.name / "kubepods" / "burstable").mkdir(parents=True)
    return folder


def test_a_run_has_a_folder_and_a_cgroup_of_its_name(runs: Path, hierarchies: list[Path]) -> None:
    with scratch(runs, hierarchies) as folder:
        assert folder.is_dir()
        assert all((root / folder.name).is_dir() for root in hierarchies)
    assert not folder.exists()
    assert all([path.name for path in root.iterdir()] == ["others"] for root in hierarchies)


def test_a_run_that_fails_leaves_nothing(runs: Path, hierarchies: list[Path]) -> None:
    with pytest.raises(ZeroDivisionError), scratch(runs, hierarchies):
        raise ZeroDivisionError
    assert list(runs.glob(f"{PREFIX}*")) == []
    assert all([path.name for path in root.iterdir()] == ["others"] for root in hierarchies)


def test_the_next_run_removes_what_a_killed_one_has_left(
    runs: Path, hierarchies: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    left = leave(runs, hierarchies)
    with scratch(runs, hierarchies):
        assert not left.exists()
        assert not any((root / left.name).exists() for root in hierarchies)
    assert str(left) in capsys.readouterr().out


def test_a_run_that_lives_keeps_what_it_has(runs: Path, hierarchies: list[Path]) -> None:
    with scratch(runs, hierarchies) as first, scratch(runs, hierarchies) as second:
        assert first != second
        assert first.is_dir()
        assert all((root / first.name).is_dir() for root in hierarchies)


def test_folders_of_others_are_kept(runs: Path, hierarchies: list[Path]) -> None:
    (runs / "mine").mkdir()
    remove_leftovers(runs, hierarchies)
    assert (runs / "mine").is_dir()


def test_a_cgroup_that_may_have_no_processes_yet_is_let_have_them(hierarchies: list[Path]) -> None:
    (hierarchies[1] / "cpuset.cpus").write_text("0-1\n")
    cgroups.make("run", hierarchies)
    assert (hierarchies[1] / "run" / "cpuset.cpus").read_text() == "0-1\n"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", ["/sys/fs/cgroup"]),
        (
            "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
            ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"],
        ),
    ],
)
def test_hierarchies_are_found_in_both_versions(tmp_path: Path, mounts: str, expected: list[str]) -> None:
    file = tmp_path / "mounts"
    file.write_text(f"proc /proc proc rw 0 0\n{mounts}")
    assert cgroups.hierarchies(file) == [Path(path) for path in expected]


def test_controllers_that_a_new_cgroup_would_not_have_are_named(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory io\n")
    assert cgroups.missing_controllers([tmp_path]) == {"cpuset", "pids"}


def test_each_controller_has_a_hierarchy_in_version_1(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("cpu,cpuacct", "cpuset", "memory", "unified")]
    for root in roots:
        root.mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").touch()
    assert cgroups.missing_controllers(roots) == {"pids"}
