"""`python -m tools.demo [--keep]`: called by `make demo`.

Exit codes: 0 when everything came true, 1 when something did not, 130 after Ctrl-C. Whatever it started ends with it.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Final

from rich.console import Console

from tools.coder_api import CoderAPI
from tools.demo.screen import DemoFailed, Screen
from tools.demo.story import ROOT, Story
from tools.kubernetes.binaries import NotAvailable, locate
from tools.kubernetes.control_plane import ControlPlane
from tools.kubernetes.modules import KUBERNETES
from tools.operator_process import OperatorProcess
from tools.processes import ProcessFailed
from tools.server_process import CoderServer

SETTINGS: Final = {"CODER_SCIM_AUTH_HEADER": secrets.token_urlsafe(16), "CODER_PROXY_HEALTH_INTERVAL": "2s"}
"""Of the API server, which has no licence at first."""
USAGE: Final = """
Everything keeps running. Look at {page}, and in another terminal:

  export PATH={binaries}:{commands}:$PATH
  export KUBECONFIG={kubeconfig}
  export CODER_URL={url}
  export CODER_SESSION_TOKEN=$(cat {token})

  kubectl get coder -o wide
  kubectl describe coderdeployment coder
  kubectl edit codergroup platform
  curl -H "Coder-Session-Token: $CODER_SESSION_TOKEN" $CODER_URL/api/v2/organizations/default/groups

Logs: {operator_log} and {server_log}
Ctrl-C ends it and removes everything.
"""


@contextlib.contextmanager
def started(console: Console) -> Iterator[tuple[ControlPlane, CoderServer, OperatorProcess]]:
    """Kubernetes with the CRDs, the API server, and the operator."""
    console.print(f"[bold]Kubernetes {KUBERNETES.version}[/], found in .cache/ or built there once (about 6 minutes)")
    locate()
    with ControlPlane() as plane:
        console.print(f"  kube-apiserver, etcd and kube-controller-manager answer at {plane.url}")
        with CoderServer(licensed=False, **SETTINGS) as server:
            console.print(f"[bold]Coder's Enterprise API[/] answers at {server.url}")
            plane.kubectl("apply", "-f", str(ROOT / "crds"))
            plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
            with OperatorProcess(plane.kubeconfig, plane.folder / "operator.log") as operator:
                console.print(f"[bold]The operator[/] leads and watches, and shows what it knows at {operator.page}")
                yield plane, server, operator


def run(console: Console, *, keep: bool) -> None:
    """Raises `DemoFailed`, and what the tools raise when something does not start."""
    with started(console) as (plane, server, operator):
        screen = Screen(console, lambda: plane.get("coder", "-A")["items"])
        coder = CoderAPI(server.url, server.token)
        story = Story(plane, server, SETTINGS["CODER_SCIM_AUTH_HEADER"], coder, screen)
        with contextlib.closing(coder), contextlib.closing(story):
            story.tell()
            console.print(f"\n[bold]$ kubectl get coder[/]\n{plane.kubectl('get', 'coder').stdout}")
            screen.summary()
            if keep:
                _wait(console, plane, server, operator)


def _wait(console: Console, plane: ControlPlane, server: CoderServer, operator: OperatorProcess) -> None:
    text = USAGE.format(
        binaries=locate()["kubectl"].parent,
        commands=ROOT / ".cache" / "venv" / "bin",
        kubeconfig=plane.kubeconfig,
        url=server.url,
        page=operator.page,
        token=server.folder / "token",
        operator_log=operator.log,
        server_log=server.log,
    )
    console.print(text, markup=False)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    keep = parser.parse_args().keep
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    console = Console(highlight=False, soft_wrap=True)
    try:
        run(console, keep=keep)
    except KeyboardInterrupt:
        console.print("\nInterrupted; everything that was started is ended.")
        return 130
    except (DemoFailed, NotAvailable, ProcessFailed) as error:
        console.print(f"\nThe demo failed: {error}", style="red", markup=False)
        return 1
    console.print("\n[bold green]Everything came true.[/]" + ("" if keep else " KEEP=1 make demo leaves it running."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
