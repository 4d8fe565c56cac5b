"""Ctrl-C, as a process gets it, at a real server: the command ends at once with one line, and can be repeated."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

from tests.support.command import process
from tests.support.manifests import group
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer

GROUPS = 120


@pytest.fixture(scope="module")
def server() -> Iterator[CoderServer]:
    with CoderServer() as started:
        yield started


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    path = tmp_path / "crowd.yaml"
    path.write_text(yaml.safe_dump_all([group(f"crowd-{number}") for number in range(GROUPS)]))
    return path


def running(server: CoderServer, *words: object) -> AbstractContextManager[subprocess.Popen[str]]:
    return process(*words, CODER_URL=server.url, CODER_SESSION_TOKEN=server.token)


def made(coder: CoderAPI) -> list[str]:
    return sorted(each["name"] for each in coder.groups() if each["name"].startswith("crowd-"))


def test_an_interrupted_apply_ends_at_once_and_is_repeated(server: CoderServer, coder: CoderAPI, crowd: Path) -> None:
    with running(server, "apply", "-f", crowd, "--yes") as child:
        wait_until(lambda: len(made(coder)) > 0, "the first groups are made")
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert (child.returncode, said) == (130, "coder-enterprise apply: interrupted\n")
    before = made(coder)
    assert 0 < len(before) < GROUPS
    with running(server, "apply", "-f", crowd, "--yes") as child:
        output, said = child.communicate(timeout=120)
    assert child.returncode == 0, said
    assert f"{GROUPS - len(before)} applied, 0 failed" in output
    assert len(made(coder)) == len(set(made(coder))) == GROUPS


@pytest.mark.parametrize("command", ["plan", "export"])
def test_who_waits_for_a_server_that_hangs_may_go(server: CoderServer, crowd: Path, command: str) -> None:
    folder = crowd.parent / "out"
    where = ["-o", folder] if command == "export" else ["-f", crowd]
    server.pause()
    try:
        with running(server, command, *where) as child:
            wait_until(lambda: _is_connected(child.pid), "it asks the server")
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=60)
    finally:
        server.resume()
    assert (child.returncode, said) == (130, f"coder-enterprise {command}: interrupted\n")
    assert not folder.exists()


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_who_waits_for_manifests_that_do_not_come_may_go(tmp_path: Path, command: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ends: list[int] = []
    with process(command, "-f", pipe) as child:
        wait_until(lambda: _is_read(pipe, ends), "it waits for them")
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    os.close(ends.pop())
    assert (child.returncode, said) == (130, f"coder-enterprise {command}: interrupted\n")


def _is_read(pipe: Path, ends: list[int]) -> bool:
    """Whether somebody reads from it; then with an end to write to among `ends`."""
    with contextlib.suppress(OSError):
        ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    return bool(ends)


def _is_connected(pid: int) -> bool:
    """Whether the process has an open TCP connection."""
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    inodes = {name.removeprefix("socket:[").removesuffix("]") for name in sockets if name.startswith("socket:")}
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return any(fields[3] == "01" and fields[9] in inodes for fields in map(str.split, lines))
