"""The tests' kubelet: its containers are as poor as those of a real one. Needs root on Linux, and no cluster."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.kubelet import container, limits
from tests.support.kubelet.container import Container, Mount
from tests.support.waiting import wait_until
from tools.processes import Process

FACTS: Final = """
import json, os, pathlib
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "pid": os.getpid(),
    "pids": [name for name in os.listdir("/proc") if name.isdigit()],
    "user": os.getresuid(), "group": os.getresgid(), "groups": os.getgroups(),
    "capabilities": [status[each] for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no_new_privileges": status["NoNewPrivs"],
    "environment": dict(os.environ),
    "hostname": os.uname().nodename,
    "directory": os.getcwd(),
}))
"""
WRITES: Final = """
import errno, json, sys
said = {}
for path in sys.argv[1:]:
    try:
        with open(path, "w"):
            said[path] = "written"
    except OSError as error:
        said[path] = errno.errorcode[error.errno]
print(json.dumps(said))
"""


@pytest.fixture
def poor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """A container without arguments, and a variable that it must not inherit."""
    if reason := container.missing_rights():
        pytest.skip(f"containers are not isolated here: {reason}")
    monkeypatch.setenv("INHERITED", "must not be seen")
    yield Container(
        arguments=[],
        environment={"OF_THE_POD": "yes"},
        mounts=[],
        hostname="pod-1",
        user=65532,
        group=65532,
        groups=[65532],
        read_only=True,
        memory=None,
    )
    limits.remove(tmp_path.name)


def start(what: Container, folder: Path, code: str, *arguments: str) -> Process:
    program = dataclasses.replace(what, program=("-c", code), arguments=arguments)
    return program.start(folder, folder / "log")


def answer(process: Process) -> Any:
    assert process.wait(30) == 0, process.tail()
    return json.loads(process.tail())


def nothing_pending(process: Process) -> bool:
    """Whether the outside of a container has handed on what it was sent."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return all(int(line.split()[1], 16) == 0 for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))


def test_it_runs_as_a_number_without_rights_as_pid_1(poor: Container, tmp_path: Path) -> None:
    facts = answer(start(poor, tmp_path, FACTS))
    assert (facts["pid"], facts["pids"]) == (1, ["1"])
    assert (facts["user"], facts["group"], facts["groups"]) == ([65532] * 3, [65532] * 3, [65532])
    assert {int(each, 16) for each in facts["capabilities"]} == {0}
    assert facts["no_new_privileges"] == "1"
    assert (facts["hostname"], facts["directory"]) == ("pod-1", "/tmp")


def test_it_has_the_variables_of_image_and_pod_and_no_others(poor: Container, tmp_path: Path) -> None:
    facts = answer(start(poor, tmp_path, FACTS))
    assert facts["environment"].pop("OF_THE_POD") == "yes"
    facts["environment"].pop("LC_CTYPE", None)  # which Python sets itself where no locale is named
    assert set(facts["environment"]) == {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def test_it_can_write_to_its_mounts_alone(poor: Container, tmp_path: Path) -> None:
    mounts = []
    for name, read_only in (("data", False), ("secret", True)):
        (tmp_path / name).mkdir(mode=0o777)
        (tmp_path / name).chmod(0o777)
        mounts.append(Mount(tmp_path / name, f"/mnt/{name}", read_only))
    paths = ("/file", "/tmp/file", "/usr/file", "/mnt/secret/file", "/mnt/data/file", str(tmp_path / "file"))
    said = answer(start(dataclasses.replace(poor, mounts=mounts), tmp_path, WRITES, *paths))
    assert said == dict(zip(paths, ["EROFS", "EROFS", "EROFS", "EROFS", "written", "ENOENT"], strict=True))
    assert (tmp_path / "data" / "file").stat().st_uid == 65532


def test_who_asks_for_its_name_there_fails(poor: Container, tmp_path: Path) -> None:
    process = start(poor, tmp_path, "import getpass; getpass.getuser()")
    assert process.wait(30) == 1
    assert "uid not found: 65532" in process.tail()


def test_the_first_process_is_not_ended_by_a_signal_that_it_does_not_handle(poor: Container, tmp_path: Path) -> None:
    code = "import signal; signal.pthread_sigmask(0, [2]); print('waits', flush=True); signal.sigwait([2])"
    process = start(poor, tmp_path, code)
    wait_until(lambda: "waits" in process.tail(), "the program's start")
    process.signal(signal.SIGTERM)
    wait_until(lambda: nothing_pending(process), "the signal on its way to the program")
    process.signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_it_ends_as_its_program_does_when_it_is_told_to(poor: Container, tmp_path: Path) -> None:
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); print('sleeps', flush=True); signal.pause()"
    process = start(poor, tmp_path, code)
    wait_until(lambda: "sleeps" in process.tail(), "the program's start")
    process.signal(signal.SIGTERM)
    assert process.wait(30) == 7


def test_who_takes_more_memory_than_its_limit_is_killed(poor: Container, tmp_path: Path) -> None:
    if reason := limits.missing():
        pytest.skip(reason)
    limited = dataclasses.replace(poor, memory=64 * 2**20)
    assert start(limited, tmp_path, "print(len(bytes(2**20)))").wait(30) == 0
    assert start(limited, tmp_path, "bytearray(2**28)").wait(30) == 128 + signal.SIGKILL


def test_elsewhere_it_has_the_right_variables_and_its_mounts_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "missing_rights", lambda: "that takes root")
    monkeypatch.setenv("INHERITED", "must not be seen")
    plain = Container(
        arguments=[],
        environment={"FILE": "/data/file"},
        mounts=[Mount(tmp_path, "/data", read_only=False)],
        hostname="pod-1",
        user=65532,
        group=65532,
        groups=[],
        read_only=True,
        memory=None,
    )
    facts = answer(start(plain, tmp_path, FACTS))
    assert facts["environment"]["FILE"] == f"{tmp_path}/file"
    assert "INHERITED" not in facts["environment"]
    assert container.compromises() == [
        "Pods run as this user, beside each other, on a root that is not read-only: that takes root."
    ]
