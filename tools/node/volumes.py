"""Volumes for claims: the default storage class, with folders of this machine behind it. Called by `node`.

They are of the type `local`, which honours a pod's fsGroup as the disks of a cloud do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tools.node.kubelet import NODE_NAME

CLASS: Final = "local"
COUNT: Final = 3
Body = dict[str, Any]


def manifest(folder: Path) -> Body:
    """A storage class and some volumes; makes their folders."""
    volumes = [_volume(folder / f"volume-{number}") for number in range(COUNT)]
    return {"apiVersion": "v1", "kind": "List", "items": [_storage_class(), *volumes]}


def _storage_class() -> Body:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(path: Path) -> Body:
    path.mkdir(parents=True)
    on_the_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": path.name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_the_node]}]}},
        },
    }
