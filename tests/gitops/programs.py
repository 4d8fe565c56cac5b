"""What the programs of Flux and Argo CD have in common: their kinds, and the way they say that they are there."""

from __future__ import annotations

import urllib.request

from tests.support.waiting import wait_until
from tools.kubernetes.archives import locate_crds
from tools.kubernetes.control_plane import ControlPlane


def install_crds(plane: ControlPlane, program: str) -> None:
    """Those that the program comes with."""
    manifests = [option for file in locate_crds(program) for option in ("-f", str(file))]
    plane.kubectl("apply", "--server-side", *manifests)
    # kubectl gives up on one that has no conditions yet.
    wait = ("wait", "--for=condition=Established", "--timeout=60s", *manifests)
    wait_until(lambda: plane.kubectl(*wait, check=False).returncode == 0, "the CRDs are established")


def answers(url: str) -> bool:
    """With 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
