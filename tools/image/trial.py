"""Tries an image: each command, everything it imports, and a server that listens and ends. Called by `make image`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer.main

from coder_enterprise.cli.main import app
from tools.image.archive import Archive
from tools.image.container import Unpacked
from tools.processes import Process, ProcessFailed
from tools.server_process import LISTENING

CHECK: Final = Path(__file__).parent / "steps" / "check.py"
PYTHON: Final = "/opt/coder-enterprise/bin/python"
TIMEOUT: Final = 60.0


def problems(archive: Archive, folder: Path) -> list[str]:
    """What did not come true, in sentences; `folder` must be new and may be removed afterwards."""
    unpacked = Unpacked(archive, folder)
    found = []
    for words in commands():
        asked = [*unpacked.entrypoint, *words, "--help"]
        found.append(_run(" ".join(asked), unpacked.start(asked)))
    found.append(_run("The import of everything", unpacked.start([PYTHON, "-c", CHECK.read_text()])))
    found.append(_serve(unpacked))
    return [problem for problem in found if problem]


def commands() -> Iterator[tuple[str, ...]]:
    """The program's commands and theirs, as one would type them; first none."""

    def walk(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, each in getattr(command, "commands", {}).items():
            yield from walk(each, (*words, name))

    yield from walk(typer.main.get_command(app), ())


def _run(name: str, process: Process) -> str:
    """Why it did not end well, or nothing."""
    try:
        return _ended(name, process, process.wait(TIMEOUT))
    except subprocess.TimeoutExpired:
        return f"{name} has not ended in {TIMEOUT:.0f} s:\n{process.tail()}"
    finally:
        process.kill()


def _serve(unpacked: Unpacked) -> str:
    """A server on SQLite listens, and ends when it is told to."""
    process = unpacked.start([*unpacked.entrypoint, "server"], tmp=True)
    try:
        process.wait_until(lambda: LISTENING in process.log.read_text(), TIMEOUT)
        return _ended("server", process, process.stop())
    except ProcessFailed as error:
        return str(error)
    finally:
        process.kill()


def _ended(name: str, process: Process, code: int) -> str:
    return f"{name} ended with {code}:\n{process.tail()}" if code else ""
