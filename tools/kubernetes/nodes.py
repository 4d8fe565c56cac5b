"""What `ControlPlane.add_nodes` puts into the cluster: nodes without machines, and disks without blocks.

kwok plays the kubelet of these nodes (`kwok/stages.yaml`), so workloads become ready without containers. The volumes
are bound by Kubernetes itself; there are as many as there are, and one that was used is not used again.
"""

from __future__ import annotations

from typing import Any, Final

Body = dict[str, Any]

NODES: Final = 3
VOLUMES: Final = 12
STORAGE_CLASS: Final = "standard"


def manifest() -> Body:
    items = [*map(_node, range(1, NODES + 1)), _storage_class(), *map(_volume, range(1, VOLUMES + 1))]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _node(number: int) -> Body:
    name = f"node-{number}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
    }


def _storage_class() -> Body:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
    }


def _volume(number: int) -> Body:
    name = f"volume-{number}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": STORAGE_CLASS,
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/nowhere/{name}"},
        },
    }
