"""`python -m tools.node.inside FOLDER`: started by `__main__` in new namespaces, on the folder of its run.

Sets up the namespaces, starts the node and follows the scenario. When something fails it shows what the cluster knows.
Exit codes: 0, or 1 when something failed. It need not clean up: the namespaces end with it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tools.commands import StepFailed
from tools.kubernetes.modules import KUBERNETES
from tools.node import diagnosis, namespaces
from tools.node.cluster import Cluster
from tools.node.node import Node
from tools.node.scenario import STEPS
from tools.node.steps import follow
from tools.processes import ProcessFailed


def main() -> int:
    folder = Path(sys.argv[1])
    started = time.monotonic()
    namespaces.set_up(folder)
    try:
        node = Node(folder)
    except ProcessFailed as error:
        print(f"The node does not start: {error}", file=sys.stderr)
        return 1
    print(f"A node of Kubernetes {KUBERNETES.version} is ready after {time.monotonic() - started:.0f} s", flush=True)
    try:
        follow(STEPS, Cluster(node))
    except (ProcessFailed, StepFailed) as error:
        diagnosis.show(node.plane, node.logs)
        print(f"make e2e-node failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
