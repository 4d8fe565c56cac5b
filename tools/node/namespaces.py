"""The namespaces of a run: how `__main__` gets `inside` into them, and what `inside` sets up there first.

The machine itself stays as it is. Usual folders of a node are folders of the run, bind-mounted where only the
namespace sees it; settings of the kernel that a kubelet would write are files of the run; the network has one address
and no way out.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.kubernetes.arguments import SERVICES
from tools.node.prerequisites import HIDDEN, NAMESPACES

NODE_ADDRESS: Final = "10.89.0.1"
"""Of the API server, the kubelet and the cluster's DNS; on the loopback interface, and pods reach it by their route."""
SYSCTLS: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet wants (pkg/kubelet/cm/container_manager_linux.go), and would write for all the machine."""


TEMPORARY: Final = Path("/run/tmp")
"""For temporary files of the programs inside: in the folder of the run, and to be reached by every user."""


def command(program: Sequence[str]) -> list[str]:
    """Runs `program` in new namespaces. When it ends, or `unshare` is killed, so does every process in them."""
    # catatonit is their first process: it passes signals on, and takes leave of the dead that containerd leaves to it.
    return ["unshare", *NAMESPACES, "--kill-child", "catatonit", "--", *program]


def set_up(folder: Path) -> None:
    """Inside: mounts and network. `folder` is the run's."""
    for hidden in HIDDEN:
        own = folder / hidden.relative_to("/")
        own.mkdir(parents=True)
        _run("mount", "--bind", own, hidden)
    for name, value in SYSCTLS.items():
        file = folder / "sysctls" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
        _run("mount", "--bind", file, Path("/proc/sys") / name)
    TEMPORARY.mkdir()
    TEMPORARY.chmod(0o1777)
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo")
    # A packet to a Service needs a route before kube-proxy's rules see it.
    _run("ip", "route", "add", SERVICES, "dev", "lo", "src", NODE_ADDRESS)


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True)
