"""What `ControlPlane.add_nodes` puts into the cluster: nodes without machines.

kwok plays the kubelet of these and of no others (`kwok/stages.yaml`), so workloads become ready without containers.
"""

from __future__ import annotations

from typing import Any, Final

Body = dict[str, Any]

NODES: Final = 3
LABEL: Final = {"kwok.x-k8s.io/node": "fake"}
SELECTOR: Final = ",".join(f"{key}={value}" for key, value in LABEL.items())


def manifest() -> Body:
    return {"apiVersion": "v1", "kind": "List", "items": [_node(number) for number in range(1, NODES + 1)]}


def _node(number: int) -> Body:
    name = f"node-{number}"
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **LABEL}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
