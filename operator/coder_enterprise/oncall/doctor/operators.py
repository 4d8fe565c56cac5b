"""The operators of a cluster, by the Leases that they renew: which live, and whether they are in each other's way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.marks import DEPLOYMENT, OPERATOR_LABEL, SCOPE
from coder_enterprise.cluster.paths import LEASES
from coder_enterprise.oncall.doctor.findings import CLUSTER, Finding
from coder_enterprise.oncall.standing import moment


async def operators(client: KubernetesClient) -> Sequence[Finding]:
    """Wherever their Leases are."""
    try:
        found = [body async for page in client.pages(LEASES, selector=OPERATOR_LABEL) for body in page]
    except KubernetesError as error:
        return [CLUSTER.warning("operators", f"Leases cannot be read: {error}", "ask for the right to list Leases")]
    return list(_operators(found, datetime.now(UTC)))


def _operators(leases: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Finding]:
    replicas = [lease for lease in leases if DEPLOYMENT not in (lease["metadata"].get("annotations") or {})]
    living = [lease for lease in replicas if _lives(lease, now)]
    if not living:
        last = f"; {len(replicas)} did once" if replicas else ""
        yield CLUSTER.failure("operators", f"no operator renews its Lease{last}", "start it; look at its log")
        return
    scopes = {_team(lease): _scope(lease) for lease in living}
    for team, scope in scopes.items():
        count = sum(_team(lease) == team for lease in living)
        where = scope or "all namespaces"
        yield CLUSTER.ok("operators", f"{team}: {count} {'replica' if count == 1 else 'replicas'}, for {where}")
    teams = sorted(scopes)
    for index, team in enumerate(teams):
        for other in teams[index + 1 :]:
            if _overlap(scopes[team], scopes[other]):
                yield CLUSTER.warning(
                    "operators",
                    f"{team} and {other} watch the same namespaces, and do not share the work",
                    "give them one --lease-name and --lease-namespace, or namespaces of their own",
                )


def _lives(lease: Mapping[str, Any], now: datetime) -> bool:
    spec = lease.get("spec") or {}
    renewed = moment(spec.get("renewTime"))
    return renewed is not None and (now - renewed).total_seconds() < 2 * (spec.get("leaseDurationSeconds") or 15)


def _team(lease: Mapping[str, Any]) -> str:
    metadata = lease["metadata"]
    return f"{metadata['namespace']}/{metadata['labels'][OPERATOR_LABEL]}"


def _scope(lease: Mapping[str, Any]) -> str:
    return str((lease["metadata"].get("annotations") or {}).get(SCOPE, ""))


def _overlap(one: str, other: str) -> bool:
    return not one or not other or bool(set(one.split(",")) & set(other.split(",")))
