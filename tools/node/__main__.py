"""`python -m tools.node`: called by `make e2e-node`, as root on Linux.

Builds the programs and the image, runs a cluster of one node in namespaces of its own, follows there what a user does
with the chart, and removes everything, also after Ctrl-C and SIGTERM. What a killed run has left, the next one removes.
Exit codes: 0; 1 when something failed; 77 when it cannot run on this machine; 130 after Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from tools.commands import StepFailed
from tools.image.stand_in import NotHere
from tools.kubernetes.binaries import NotAvailable, locate
from tools.kubernetes.modules import CONTROL_PLANE
from tools.node import images, namespaces, prerequisites
from tools.node.node import PROGRAMS
from tools.node.scratch import scratch
from tools.processes import launcher

ROOT: Final = Path(__file__).parents[2]
UNSUITABLE: Final = 77
END_TIMEOUT: Final = 30.0


def run(*, install: bool, offline_base: bool) -> int:
    """The exit code of `inside`."""
    prerequisites.see_to(install=install)
    with _timed("The programs of Kubernetes are there"):
        locate((*CONTROL_PLANE, "helm", *PROGRAMS))
    with scratch() as folder:
        with _timed("The image is built"):
            images.collect(folder / "images", offline_base=offline_base)
        with _timed("The node has ended"):
            return _inside(folder)


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{what}, after {time.monotonic() - started:.0f} s", flush=True)


def _inside(folder: Path) -> int:
    command = namespaces.command([sys.executable, "-m", "tools.node.inside", str(folder)])
    environment = os.environ | {"TMPDIR": str(namespaces.TEMPORARY)}
    # In a session of its own: Ctrl-C comes to us alone, and we pass it on.
    with subprocess.Popen(launcher(command), cwd=ROOT, env=environment, start_new_session=True) as child:
        try:
            return child.wait()
        finally:
            if child.poll() is None:
                _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """All of its namespaces: their first process ends only when every other has."""
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(END_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make e2e-node", description=__doc__)
    parser.add_argument("--install", action="store_true", help="install missing programs (Debian)")
    parser.add_argument("--offline-base", action="store_true", help="do not ask a registry for the base image")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        code = run(install=options.install, offline_base=options.offline_base)
    except (prerequisites.Missing, NotHere) as error:
        print(error, file=sys.stderr)
        return UNSUITABLE
    except (NotAvailable, StepFailed, TimeoutError) as error:
        print(f"make e2e-node: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make e2e-node was interrupted; nothing of it is left", file=sys.stderr)
        return 130
    if code == 0:
        print("The chart was installed, used and uninstalled on a real node; nothing of it is left.")
    return code


if __name__ == "__main__":
    sys.exit(main())
