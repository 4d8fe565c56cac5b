"""One look at a whole cluster: its deployments, its objects by kind, and what is not well. Pure functions of objects.

Called by `coder-enterprise status`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource
from coder_enterprise.oncall.standing import Standing, complaints, standing

CONNECTION: Final = "CoderDeployment"
"""The kind that stands for a whole Coder, as Kubernetes calls it."""


@dataclass(frozen=True)
class DeploymentLine:
    standing: Standing
    version: str
    license_days: int | None
    """None when there is no licence, or Coder does not tell."""
    replicas: str
    """Healthy and all, such as 2/3; so for `proxies`."""
    proxies: str
    provisioners: int | None
    circuit: str
    objects: str
    """Ready and all, such as 11/12."""


@dataclass(frozen=True)
class KindLine:
    kind: str
    total: int
    ready: int
    suspended: int

    @property
    def not_ready(self) -> int:
        return self.total - self.ready - self.suspended


@dataclass(frozen=True)
class Overview:
    deployments: tuple[DeploymentLine, ...]
    kinds: tuple[KindLine, ...]
    not_ready: tuple[Standing, ...]
    """What comes first is what others wait for, or what a person must repair."""
    complaints: tuple[Standing, ...]
    """Of objects that are ready."""


def overview(resources: Sequence[Resource], kinds: Iterable[Names]) -> Overview:
    """Of these objects; a kind without any has a line too."""
    standings = {resource.key: standing(resource) for resource in resources}
    unwell = [each for each in standings.values() if not each.ready and not each.suspended]
    return Overview(
        deployments=tuple(
            _deployment(resource, standings[resource.key])
            for resource in sorted(resources, key=_place)
            if resource.key.kind == CONNECTION
        ),
        kinds=tuple(_kind(names.kind, standings) for names in kinds),
        not_ready=tuple(sorted(unwell, key=_urgency)),
        complaints=tuple(
            complaint
            for resource in sorted(resources, key=_place)
            if standings[resource.key].ready
            for complaint in complaints(resource)
        ),
    )


def _place(resource: Resource) -> Key:
    return resource.key


def _kind(kind: str, standings: Mapping[Key, Standing]) -> KindLine:
    ours = [each for key, each in standings.items() if key.kind == kind]
    ready = sum(each.ready for each in ours)
    return KindLine(kind, len(ours), ready, sum(each.suspended for each in ours))


def _urgency(each: Standing) -> tuple[bool, bool, bool, Key]:
    waits = each.reason == Reason.WAITING_FOR_DEPLOYMENT
    return (each.key.kind != CONNECTION, waits, not each.stalled, each.key)


def _deployment(resource: Resource, how: Standing) -> DeploymentLine:
    status = resource.status
    counts = status.get("managedObjects") or {}
    return DeploymentLine(
        standing=how,
        version=status.get("version") or "",
        license_days=(status.get("license") or {}).get("daysLeft"),
        replicas=status.get("replicasHealthy") or "",
        proxies=status.get("proxiesHealthy") or "",
        provisioners=status.get("provisionerDaemons"),
        circuit=status.get("circuit") or "",
        objects=f"{counts.get('ready', 0)}/{counts.get('total', 0)}" if counts else "",
    )


def document(seen: Overview) -> dict[str, Any]:
    """As `--output json` prints it: docs/reference/commands.md describes the shape of this version."""
    return {
        "version": 1,
        "deployments": [
            {
                **line.standing.document(),
                "coderVersion": line.version or None,
                "licenseDaysLeft": line.license_days,
                "replicasHealthy": line.replicas or None,
                "proxiesHealthy": line.proxies or None,
                "provisionerDaemons": line.provisioners,
                "circuit": line.circuit or None,
                "objectsReady": line.objects or None,
            }
            for line in seen.deployments
        ],
        "kinds": [
            {
                "kind": line.kind,
                "total": line.total,
                "ready": line.ready,
                "notReady": line.not_ready,
                "suspended": line.suspended,
            }
            for line in seen.kinds
        ],
        "notReady": [each.document() for each in seen.not_ready],
        "complaints": [each.document() for each in seen.complaints],
    }
