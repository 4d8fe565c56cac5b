"""Where the programs of Kubernetes and its neighbours come from, in which order."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from tools.kubernetes import binaries, releases
from tools.kubernetes.binaries import NotAvailable, cache_folder, find, locate
from tools.kubernetes.modules import CONTROL_PLANE, MODULE_OF, MODULES, Module


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no Go."""
    monkeypatch.setattr(binaries, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def copied(tmp_path: Path) -> Module:
    """A module whose pins may be changed."""
    module = MODULE_OF["helm"]
    folder = tmp_path / "copy"
    shutil.copytree(module.folder, folder)
    return dataclasses.replace(module, folder=folder)


def install(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch(mode=0o755)


def test_the_folder_that_the_environment_names_comes_first(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CONTROL_PLANE:
        install(cache_folder(name), name)
    install(tmp_path / "assets", "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    found = locate()
    assert found["etcd"] == tmp_path / "assets" / "etcd"
    assert found["kubectl"] == cache_folder("kubectl") / "kubectl"


def test_what_is_cached_is_not_built_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MODULE_OF:
        install(cache_folder(name), name)
    monkeypatch.setattr(binaries, "_obtain", lambda *_: pytest.fail("it is there already"))
    assert set(locate(list(MODULE_OF))) == set(MODULE_OF)


def test_a_control_plane_does_not_wait_for_other_programs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_obtain", lambda name, _: Path(name))
    assert set(locate()) == {"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"}


def test_a_file_that_cannot_be_run_does_not_count(cache: Path) -> None:
    install(cache_folder("etcd"), "etcd")
    (cache_folder("etcd") / "etcd").chmod(0o644)
    assert find(["etcd"]) == {}


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_other_pins_have_another_cache(copied: Module, file: str) -> None:
    before = copied.key
    with (copied.folder / file).open("a") as pins:
        pins.write("\n")
    assert copied.key != before


def test_modules_that_share_no_pins_share_no_cache(cache: Path) -> None:
    assert len({cache_folder(name) for name in MODULE_OF}) == len(MODULES)
    assert cache_folder("kubectl") == cache_folder("kube-scheduler")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_each_program_is_a_tool_of_its_module(module: Module) -> None:
    lines = (module.folder / "go.mod").read_text().splitlines()
    tools = {line.removeprefix("tool").strip() for line in lines}
    assert set(module.programs.values()) - {"."} <= tools
    assert module.version.startswith("v")
    assert module.version in module.key


def test_a_program_is_told_the_version_that_is_pinned(copied: Module) -> None:
    pins = copied.folder / "go.mod"
    pins.write_text(pins.read_text().replace(f"helm.sh/helm/v4 {copied.version}", "helm.sh/helm/v4 v9.8.7"))
    assert copied.linker_flags() == "-s -w -X helm.sh/helm/v4/internal/version.version=v9.8.7"


def test_without_any_source_the_message_says_what_to_install(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise NotAvailable("the build failed")

    def refuse(*_: object) -> tuple[Path, str]:
        raise releases.NotTaken("no network")

    monkeypatch.setattr(binaries, "_build", fail)
    monkeypatch.setattr(releases, "take", refuse)
    with pytest.raises(NotAvailable, match=r"the build failed(.|\n)*no network(.|\n)*KUBEBUILDER_ASSETS"):
        locate(["etcd"])
