"""`python -m tools.kubernetes build|path|start`: called by `make kubernetes`, and by people."""

from __future__ import annotations

import argparse
import signal
import sys

from tools.kubernetes import binaries

EXAMPLES = """examples:
  python -m tools.kubernetes build    find or build everything, once
  python -m tools.kubernetes path     print the folder, for PATH or KUBEBUILDER_ASSETS
  python -m tools.kubernetes start    run a control plane until Ctrl-C
"""


def build() -> None:
    found = binaries.locate()
    print(f"Kubernetes {binaries.KUBERNETES_VERSION} is ready: {', '.join(found)}")


def start() -> None:
    from tools.kubernetes.control_plane import ControlPlane

    with ControlPlane() as plane:
        print(f"Kubernetes answers at {plane.url}. Use it with:\n\n  export KUBECONFIG={plane.kubeconfig}\n")
        print("Ctrl-C ends it and removes everything.", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.kubernetes",
        description="A real Kubernetes on this machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("build", "path", "start"))
    command = parser.parse_args().command
    try:
        if command == "path":
            print(next(iter(binaries.locate().values())).parent)
        else:
            {"build": build, "start": start}[command]()
    except binaries.NotAvailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
