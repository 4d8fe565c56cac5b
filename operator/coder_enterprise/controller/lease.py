"""One Lease of coordination.k8s.io: how the operator reads it, and how it writes it.

Used by `controller.leases`, which says what Leases mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from coder_enterprise.cluster.client import micro_time
from coder_enterprise.cluster.marks import DEPLOYMENT, SCOPE

LEASE_DURATION: Final = 15.0
RENEW_DEADLINE: Final = 10.0
RETRY_PERIOD: Final = 2.0


@dataclass(frozen=True)
class LeaseTimes:
    """In seconds; `duration` > `renew_deadline` > `retry_period`."""

    duration: float = LEASE_DURATION
    renew_deadline: float = RENEW_DEADLINE
    retry_period: float = RETRY_PERIOD


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was last seen."""

    name: str
    version: str
    deployment: str
    scope: str
    holder: str
    """"" when nobody has it."""
    duration: float
    acquired: str
    transitions: int

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Lease:
        meta, spec = body["metadata"], body.get("spec") or {}
        annotations = meta.get("annotations") or {}
        return cls(
            name=meta["name"],
            version=meta["resourceVersion"],
            deployment=annotations.get(DEPLOYMENT, ""),
            scope=annotations.get(SCOPE, ""),
            holder=spec.get("holderIdentity") or "",
            duration=float(spec.get("leaseDurationSeconds") or LEASE_DURATION),
            acquired=spec.get("acquireTime") or "",
            transitions=int(spec.get("leaseTransitions") or 0),
        )


def lease_body(name: str, namespace: str, known: Lease | None, holder: str, duration: float) -> dict[str, Any]:
    """What follows the version that is `known` (None: there is none) when `holder` has it, or nobody ("")."""
    moment = micro_time()
    same = known is not None and known.holder == holder
    transitions = known.transitions if known else 0
    version = {"resourceVersion": known.version} if known else {}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace, **version},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(duration)),
            "acquireTime": known.acquired if known and same and known.acquired else moment,
            "renewTime": moment,
            "leaseTransitions": transitions + (1 if holder and known is not None and not same else 0),
        },
    }
