"""A real node on this machine: containerd, kubelet and kube-proxy in namespaces of their own, for `make e2e-node`.

Two programs. `__main__` runs outside: it sees to what is needed, builds, and removes what a run leaves. `inside` runs
in new network, mount and PID namespaces: it starts the cluster and follows the `scenario`. When `inside` ends, however
that happens, the kernel ends every process of its namespaces and takes mounts, interfaces and rules with them; what
remains is a folder under .cache and a cgroup, and both have the name of the run (`scratch`).
"""

from __future__ import annotations
