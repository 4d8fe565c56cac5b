"""Folders with tokens outlive their process no longer than until the next one is made."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import folders
from tools.server_process import CoderServer

MADE = """
from tools import folders
print(folders.make("test"), flush=True)
"""
STARTED = """
from tools.server_process import CoderServer
server = CoderServer(licensed=False)
server.start()
print(server.folder, flush=True)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all folders are, of this process and of those that it starts."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextlib.contextmanager
def running(program: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has made a folder and says so, until it is killed."""
    command = [sys.executable, "-c", f"{program}\nimport signal\nsignal.pause()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_the_folder_of_a_process_that_was_killed_goes_when_the_next_is_made() -> None:
    with running(MADE) as (process, folder):
        folders.remove(folders.make("next"))
        assert folder.is_dir(), "its process lives"
        process.kill()
        process.wait()
        folders.remove(folders.make("next"))
    assert not folder.exists()


def test_so_does_that_of_a_server_with_its_token() -> None:
    with running(STARTED) as (process, folder):
        assert (folder / "token").exists()
        process.kill()
        process.wait()
        with CoderServer(licensed=False) as next_:
            assert not folder.exists()
            assert next_.folder.is_dir()
    assert not next_.runs


def test_a_folder_of_our_own_stays_until_it_is_removed() -> None:
    first, second = folders.make("one"), folders.make("two")
    assert first.is_dir()
    assert first.stat().st_mode & 0o777 == 0o700
    folders.remove(second)
    folders.remove(first)
    assert not first.exists()


def test_a_folder_that_was_never_locked_is_not_removed(temporary: Path) -> None:
    """It is being made, or is not ours."""
    (temporary / f"{folders.PREFIX}other").mkdir()
    folders.remove(folders.make("next"))
    assert [path.name for path in temporary.iterdir()] == [f"{folders.PREFIX}other"]
