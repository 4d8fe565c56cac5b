"""containerd and its network, for the kubelet: called by `node`, inside the namespaces.

Pods are joined to the node by a pair of interfaces each (CNI's `ptp`), so that every packet passes kube-proxy's rules.
The images are archives that were made outside; nothing is pulled.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from tools.node.prerequisites import PLUGINS
from tools.processes import Process

SOCKET: Final = "/run/containerd/containerd.sock"
NETWORKS: Final = Path("/run/cni")
PODS: Final = "10.88.0.0/16"
PAUSE_IMAGE: Final = "localhost/pause:1"
READY_TIMEOUT: Final = 60.0
CRI: Final = 'plugins."io.containerd.grpc.v1.cri"'
CONFIG: Final = f"""version = 2
oom_score = 0
[grpc]
  address = "{SOCKET}"
[{CRI}]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
[{CRI}.containerd]
  snapshotter = "{{snapshotter}}"
[{CRI}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{CRI}.containerd.runtimes.runc.options]
  SystemdCgroup = false
[{CRI}.cni]
  bin_dir = "{PLUGINS}"
  conf_dir = "{NETWORKS}"
"""
NETWORK: Final[dict[str, Any]] = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {"type": "host-local", "subnet": PODS, "routes": [{"dst": "0.0.0.0/0"}]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


class Containerd:
    """Ready when it is made."""

    def __init__(self, folder: Path, log: Path) -> None:
        """`folder`: a disk where it may keep its configuration; its state is below /var/lib and /run."""
        NETWORKS.mkdir(parents=True)
        (NETWORKS / "10-pods.conflist").write_text(json.dumps(NETWORK))
        config = folder / "containerd.toml"
        config.write_text(CONFIG.format(snapshotter=snapshotter_for(folder)))
        self._process = Process("containerd", ["containerd", "--config", str(config)], log)
        self._process.wait_until(self._answers, READY_TIMEOUT)

    def load(self, archive: Path) -> None:
        """An archive of OCI images, each under the name that it has there."""
        self._ctr("image", "import", str(archive))

    def process_of(self, container: str) -> int:
        """The process id of a container's first process."""
        rows = [line.split() for line in self._ctr("task", "list").splitlines()[1:]]
        return next(int(row[1]) for row in rows if row[0] == container)

    def _answers(self) -> bool:
        return subprocess.run(self._command("version"), capture_output=True, check=False).returncode == 0

    def _ctr(self, *arguments: str) -> str:
        done = subprocess.run(self._command(*arguments), stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return ["ctr", "--address", SOCKET, "--namespace", "k8s.io", *arguments]


def snapshotter_for(folder: Path) -> str:
    """overlayfs, but where the folder is on one itself: it cannot lie on another."""
    command = ["stat", "--file-system", "--format=%T", str(folder)]
    system = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return "native" if system == "overlayfs" else "overlayfs"
