"""The steps of the build that are programs of their own, tried on what is installed here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.image.dockerfile import ROOT
from tools.image.steps import trim

STEPS = ROOT / "tools" / "image" / "steps"


def package(name: str) -> Path:
    """The folder of an installed package."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


@pytest.fixture(scope="module")
def loaded() -> list[Path]:
    """The files of all modules that are in memory after `check.py`."""
    code = (
        f"import json, runpy, sys; runpy.run_path({str(STEPS / 'check.py')!r}, run_name='__main__');"
        "print(json.dumps([getattr(each, '__file__', None) for each in list(sys.modules.values())]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [Path(name) for name in json.loads(done.stdout) if name]


@pytest.mark.parametrize("name", trim.FOLDERS)
def test_what_is_removed_is_there_and_never_loaded(loaded: list[Path], name: str) -> None:
    folder = package(name.partition("/")[0]).parent / name
    assert folder.is_dir()
    assert [file for file in loaded if file.is_relative_to(folder)] == []


def test_both_halves_are_loaded_by_the_check(loaded: list[Path]) -> None:
    ours = ROOT / "operator" / "coder_enterprise"
    for name in ("controller/kopf_source.py", "server/routes/app.py", "cli/operator.py", "wsproxy/run.py"):
        assert ours / name in loaded


def test_sources_of_compiled_modules_and_foreign_programs_are_removed(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for folder in trim.FOLDERS:
        (packages / folder).mkdir(parents=True)
    for file in ("uvloop/loop.so", "uvloop/loop.pyx", "uvloop/loop.pyi", "uvloop/__init__.py"):
        (packages / file).parent.mkdir(exist_ok=True)
        (packages / file).touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uvicorn").touch()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    trim.trim(tmp_path)
    assert {file.name for file in (packages / "uvloop").iterdir()} == {"loop.so", "__init__.py"}
    assert [file.name for file in (tmp_path / "bin").iterdir()] == ["python"]
    assert not (packages / "kubernetes/client/api").exists()


def test_a_folder_that_has_moved_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="kubernetes"):
        trim.trim(tmp_path)
