"""`python -m tests.support.brisk KUBECONFIG NAMESPACE`: the operator, whose Leases are in force for a few seconds only.

So that a test of who takes over need not wait for longer. Nothing else differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from coder_enterprise.cli.logs import configure
from coder_enterprise.controller.lease import LeaseTimes
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.manager import Manager, ManagerSettings
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
from coder_enterprise.process.loop import run

TIMES: Final = LeaseTimes(duration=3.0, renew_deadline=2.0, retry_period=0.5)


def main() -> None:
    kubeconfig, namespace = sys.argv[1:]
    configure()
    settings = ManagerSettings(
        kubeconfig=Path(kubeconfig), namespaces=(namespace,), lease_namespace=namespace, lease_times=TIMES
    )
    try:
        run(Manager(settings, CONNECTION_KIND, MANAGED_KINDS).run())
    except LeadershipLost as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
