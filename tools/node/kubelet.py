"""What kubelet and kube-proxy are told: called by `node`, which starts them.

Whoever reaches the kubelet may ask it for everything: nobody does from outside of the namespaces.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from tools.node.containerd import PODS, SOCKET
from tools.node.namespaces import NODE_ADDRESS

NODE_NAME: Final = "node-1"
DOMAIN: Final = "cluster.local"
Body = dict[str, Any]


def configuration(cgroup: str, resolv_conf: Path) -> Body:
    """A KubeletConfiguration. `cgroup`: the name of the one below which all pods are."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": NODE_ADDRESS,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDomain": DOMAIN,
        "clusterDNS": [NODE_ADDRESS],
        "resolvConf": str(resolv_conf),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        # A full disk of this machine is no reason to evict pods, or to remove images that cannot be pulled again.
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }


def for_kubelet(folder: Path, kubeconfig: Path, cgroup: str) -> list[str]:
    """`folder`: where its configuration is written to."""
    resolv_conf = folder / "resolv.conf"
    resolv_conf.write_text("")  # whatever is no Service of the cluster does not exist
    config = folder / "kubelet.yaml"
    config.write_text(yaml.safe_dump(configuration(cgroup, resolv_conf)))
    return [
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def for_kube_proxy(kubeconfig: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE_NAME}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={PODS}",
        # These would be set for all the machine.
        "--conntrack-max-per-core=0",
        "--oom-score-adj=0",
    ]
