"""`python -m tests.support.keeping KUBECONFIG NAMESPACE`: an operator whose groups keep a Secret and a workload.

For tests of what stands beside an object: but for this one kind it is the operator as it is.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.cli.logs import configure
from coder_enterprise.controller.manager import Manager, ManagerSettings
from coder_enterprise.kinds.deployment import DeploymentKind
from coder_enterprise.kinds.group import GroupKind, GroupSpec
from coder_enterprise.kinds.group.find import ObservedGroup
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.resource import Resource

KEPT: Final = "kept"
VALUES: Final = {"key": "value"}


class KeepingKind(GroupKind):
    """As many replicas of the workload as the group has quota; without any, none is there."""

    @override
    def secrets(self, resource: Resource, spec: GroupSpec) -> tuple[str, ...]:
        return (KEPT,)

    @override
    async def observe(self, context: Context, resource: Resource, spec: GroupSpec, *, fresh: bool) -> ObservedGroup:
        if await context.beside.secret(resource, KEPT) != VALUES:
            await context.beside.write_secret(resource, KEPT, VALUES)
        if spec.quota_allowance:
            await context.beside.apply_workload(resource, workload(spec.quota_allowance))
        else:
            await context.beside.delete_workload(resource, KEPT)
        return await super().observe(context, resource, spec, fresh=fresh)


def workload(replicas: int) -> dict[str, Any]:
    labels = {"app": KEPT}
    container = {"name": "main", "image": "example.invalid/main"}
    return {
        "metadata": {"name": KEPT},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def main() -> None:
    kubeconfig, namespace = sys.argv[1:]
    settings = ManagerSettings(kubeconfig=Path(kubeconfig), namespaces=(namespace,), lease_namespace=namespace)
    configure()
    asyncio.run(Manager(settings, DeploymentKind(), [KeepingKind()]).run())


if __name__ == "__main__":
    main()
