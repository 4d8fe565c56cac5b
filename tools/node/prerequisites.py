"""What `make e2e-node` needs of the machine: told by name where it is missing, or installed on Debian by `--install`.

Called by `__main__` before anything else. Nothing but the distribution's packages is installed, and nothing without
`--install`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.commands import StepFailed
from tools.image import programs
from tools.node import cgroups

PLUGINS: Final = Path("/usr/lib/cni")
"""Where Debian has the plugins of CNI."""
PROGRAMS: Final = {
    "containerd": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "catatonit": "catatonit",
    "ip": "iproute2",
    "mount": "mount",
    "unshare": "util-linux",
    str(PLUGINS / "ptp"): "containernetworking-plugins",
}
"""Each with Debian's package."""
NAMESPACES: Final = ("--net", "--mount", "--pid", "--fork", "--mount-proc")
HIDDEN: Final = (Path("/var/lib"), Path("/var/log"), Path("/run"))
"""Inside the namespaces these are folders of the run: containerd and kubelet find their usual places there."""


class Missing(RuntimeError):
    """The message says what, and how it is had."""


def see_to(*, install: bool) -> None:
    """All is there when it returns. Raises `Missing`."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Missing("make e2e-node needs Linux and root: a kubelet runs containers, in namespaces of its own.")
    _refuse_hidden_folders()
    try:
        programs.need(PROGRAMS, install=install, packages=PROGRAMS)
    except (programs.ProgramsMissing, StepFailed) as error:
        raise Missing(f"make e2e-node needs programs of the distribution: {error}") from None
    done = subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"root may not make namespaces here, as in a container without rights: {done.stderr.strip()}")
    roots = cgroups.hierarchies()
    if read_only := [str(root) for root in roots if not os.access(root, os.W_OK)]:
        raise Missing(f"no cgroup can be made in {', '.join(read_only)}, as in a container without rights.")
    if controllers := cgroups.missing_controllers(roots):
        raise Missing(f"no new cgroup would have {', '.join(sorted(controllers))}, as in a container with its own.")


def _refuse_hidden_folders() -> None:
    for needed in (Path(__file__), Path(sys.executable)):
        for folder in HIDDEN:
            if folder in needed.resolve().parents:
                raise Missing(f"{needed} is in {folder}, which the node has a folder of its own for: clone elsewhere.")
