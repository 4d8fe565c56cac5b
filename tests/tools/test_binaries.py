"""Where the Kubernetes binaries come from, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.kubernetes import binaries
from tools.kubernetes.binaries import GO_MODULES, NotAvailable, cache_folder, find, locate


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no Go."""
    monkeypatch.setattr(binaries, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


def install(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch(mode=0o755)


def test_the_folder_that_the_environment_names_comes_first(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "assets", "etcd")
    install(cache_folder(), *GO_MODULES)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    found = locate()
    assert found["etcd"] == tmp_path / "assets" / "etcd"
    assert found["kubectl"] == cache_folder() / "kubectl"


def test_what_is_cached_is_not_built_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(cache_folder(), *GO_MODULES)
    monkeypatch.setattr(binaries, "_obtain", lambda *_: pytest.fail("it is there already"))
    assert set(locate()) == set(GO_MODULES)


def test_a_file_that_cannot_be_run_does_not_count(cache: Path) -> None:
    install(cache_folder(), "etcd")
    (cache_folder() / "etcd").chmod(0o644)
    assert find(["etcd"]) == {}


def test_another_version_of_the_modules_has_another_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_folder()
    monkeypatch.setattr(binaries, "KUBERNETES_VERSION", "v9.9.9")
    assert cache_folder() != before


def test_without_any_source_the_message_says_what_to_install(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise NotAvailable("the build failed")

    def refuse(*_: object) -> Path:
        raise OSError("no network")

    monkeypatch.setattr(binaries, "_build", fail)
    monkeypatch.setattr(binaries, "_download", refuse)
    with pytest.raises(NotAvailable, match=r"the build failed(.|\n)*no network(.|\n)*KUBEBUILDER_ASSETS"):
        locate(["etcd"])
