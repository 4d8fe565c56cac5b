"""The disk of a server on SQLite is full: a small file system of its own, which nobody else sees."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx2
import pytest
from typing_extensions import override

from tests.support.faults import fault
from tools.processes import READY_TIMEOUT, Process
from tools.server_process import CoderServer

SPACE: Final = ["unshare", "--mount", "--map-root-user", "--propagation", "private"]
MOUNT: Final = 'mount -t tmpfs -o size=6m,mode=755 tmpfs "$0" && exec "$@"'
GROUPS: Final = "/organizations/default/groups"


class OnSmallDisk(CoderServer):
    """Its database is in a file system of six megabytes, in a mount namespace of its own."""

    @property
    def disk(self) -> Path:
        """As the server sees it."""
        return self.folder / "disk"

    @property
    def seen(self) -> Path:
        """The same from outside of the namespace."""
        return Path(f"/proc/{self.process.pid}/root{self.disk}")

    @override
    def _launch(
        self, log: Path, environment: Mapping[str, str], *options: str, ready: Callable[[], bool] | None
    ) -> None:
        self.disk.mkdir(exist_ok=True)
        program = [sys.executable, "-m", "coder_enterprise", self.program, *options]
        command = [*SPACE, "sh", "-c", MOUNT, str(self.disk), *program]
        process = Process("server", command, log, {**environment, "CODER_SQLITE_PATH": str(self.disk / "coder.db")})
        self._process = process
        if ready is not None:
            process.wait_until(ready, READY_TIMEOUT)

    def fill(self) -> None:
        with (self.seen / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65_536))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        (self.seen / "ballast").unlink()


def can_mount(folder: Path) -> bool:
    if shutil.which(SPACE[0]) is None:
        return False
    return subprocess.run([*SPACE, "sh", "-c", MOUNT, folder, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OnSmallDisk]:
    if not can_mount(tmp_path):
        pytest.skip("no mount namespace is to be had here: it takes Linux, and root or user namespaces")
    with OnSmallDisk() as process:
        yield process
        print(process.log.read_text()[-4000:])


@pytest.fixture
def http(server: OnSmallDisk) -> Iterator[httpx2.Client]:
    headers = {"Coder-Session-Token": server.token}
    with httpx2.Client(base_url=f"{server.url}/api/v2", headers=headers, timeout=30) as client:
        yield client


@fault(
    name="disk full",
    injected="The file system of the server's SQLite database is full to its last byte, and later there is room again.",
    verdict=(
        "Writes answer 503 with a message, or are done; reads go on; afterwards writes succeed, and nothing that was "
        "acknowledged is lost."
    ),
)
def test_a_full_disk_refuses_writes_and_loses_none(server: OnSmallDisk, http: httpx2.Client) -> None:
    acknowledged: set[str] = set()

    def write(count: int, prefix: str) -> set[int]:
        statuses = set()
        for number in range(count):
            answer = http.post(GROUPS, json={"name": f"{prefix}-{number}", "display_name": "x" * 60})
            statuses.add(answer.status_code)
            assert answer.json()["message" if answer.status_code == 503 else "id"]
            if answer.status_code == 201:
                acknowledged.add(f"{prefix}-{number}")
        return statuses

    assert write(20, "before") == {201}
    server.fill()
    assert {503} <= write(50, "full") <= {201, 503}, "what fits into the files that there are may still be written"
    assert http.get(GROUPS).status_code == 200
    assert http.get("/users/me").status_code == 200
    server.make_room()
    assert write(20, "after") == {201}
    shown = {group["name"] for group in http.get(GROUPS).json()}
    assert shown - {"Everyone"} == acknowledged
    assert server.process.exit_code is None
