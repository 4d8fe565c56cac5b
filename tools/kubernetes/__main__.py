"""`python -m tools.kubernetes build|path|start`: called by `make kubernetes`, by the tests, and by people."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from tools.kubernetes import binaries
from tools.kubernetes.modules import CONTROL_PLANE, KUBERNETES, MODULE_OF

EXAMPLES = """examples:
  python -m tools.kubernetes build         find or build what a control plane needs, once
  python -m tools.kubernetes build helm    find or build one program
  python -m tools.kubernetes path          print the folders of these programs, for PATH
  python -m tools.kubernetes start         run a control plane until Ctrl-C
"""


def build(programs: Sequence[str]) -> None:
    for name in binaries.locate(programs):
        print(f"{name} of {MODULE_OF[name].path} {MODULE_OF[name].version} is ready")


def path(programs: Sequence[str]) -> None:
    folders = {str(found.parent): None for found in binaries.locate(programs).values()}
    print(os.pathsep.join(folders))


def start(_: Sequence[str]) -> None:
    from tools.kubernetes.control_plane import ControlPlane

    with ControlPlane() as plane:
        print(f"Kubernetes {KUBERNETES.version} answers at {plane.url}. Use it with:\n")
        print(f"  export KUBECONFIG={plane.kubeconfig}\n\nCtrl-C ends it and removes everything.", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


COMMANDS = {"build": build, "path": path, "start": start}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.kubernetes",
        description="A real Kubernetes on this machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("program", nargs="*", metavar="PROGRAM", help=f"of {', '.join(MODULE_OF)}")
    arguments = parser.parse_args()
    unknown = set(arguments.program) - set(MODULE_OF)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    try:
        COMMANDS[arguments.command](arguments.program or CONTROL_PLANE)
    except binaries.NotAvailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
