"""A cluster of one node, put together: called by `inside`, once the namespaces are set up.

Nothing is stopped here. Everything ends with the namespaces.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

import yaml

from tools.kubernetes.binaries import locate
from tools.kubernetes.control_plane import ControlPlane
from tools.node import kubelet, volumes
from tools.node.containerd import Containerd
from tools.node.dns import DNS
from tools.node.namespaces import NODE_ADDRESS
from tools.processes import Process

PROGRAMS: Final = ("kube-scheduler", "kubelet", "kube-proxy")
"""Besides those of a control plane."""
READY_TIMEOUT: Final = 180.0
SERVICES_KEPT: Final = 1.0
"""Seconds for which the cluster's DNS believes what it has read."""


class Node:
    """Ready for pods when it is made. Raises `ProcessFailed` when it does not get ready."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the run's. Its name is that of the cgroup, and in `images` is what the pods may run."""
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.containers = Containerd(folder, self.logs / "containerd.log")
        for archive in sorted((folder / "images").iterdir()):
            self.containers.load(archive)
        self.plane = ControlPlane(address=NODE_ADDRESS)
        self.plane.start()
        self.plane.start_scheduler()
        self.plane.kubectl("create", "-f", "-", input=yaml.safe_dump(volumes.manifest(folder / "volumes")))
        DNS(NODE_ADDRESS, _Services(self.plane).address)
        self._start("kube-proxy", kubelet.for_kube_proxy(self.plane.kubeconfig))
        node = self._start("kubelet", kubelet.for_kubelet(folder, self.plane.kubeconfig, folder.name))
        node.wait_until(self._is_ready, READY_TIMEOUT)

    def _start(self, name: str, options: list[str]) -> Process:
        return Process(name, [str(locate([name])[name]), *options], self.logs / f"{name}.log")

    def _is_ready(self) -> bool:
        conditions = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
        return self.plane.kubectl("get", "nodes", "-o", f"jsonpath={conditions}").stdout == "True"


class _Services:
    """What the cluster's DNS knows."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._lock = threading.Lock()
        self._addresses: dict[tuple[str, str], str] = {}
        self._read_at = float("-inf")

    def address(self, name: str, namespace: str) -> str | None:
        with self._lock:
            if time.monotonic() - self._read_at > SERVICES_KEPT:
                services = self._plane.get("services", "--all-namespaces")["items"]
                self._addresses = {
                    (service["metadata"]["name"], service["metadata"]["namespace"]): service["spec"]["clusterIP"]
                    for service in services
                }
                self._read_at = time.monotonic()
            return self._addresses.get((name, namespace))
