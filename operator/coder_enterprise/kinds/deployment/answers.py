"""What a server says of its licence, replicas, provisioners and proxies: conditions, status fields and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from coder_enterprise.client import errors, proxy_records, records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.deployment.status import (
    MAX_ERROR,
    MAX_NAME,
    MAX_REPLICAS,
    PROXIES,
    PROXIES_HEALTHY,
    REPLICAS,
    REPLICAS_HEALTHY,
)
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.connection import WELL, Figure, Part
from coder_enterprise.kinds.machinery.moments import days_left, timestamp
from coder_enterprise.kinds.machinery.reasons import Reason

T = TypeVar("T")
REPLICA_HEALTH: Final = Part("replicas")
PROXY_HEALTH: Final = "proxy"
MAX_ORGANIZATIONS: Final = 64
"""Whose provisioner daemons are counted: a request for each, every minute."""
DAEMON_SILENT_AFTER: Final = 90.0
"""Seconds without a heartbeat after which Coder itself calls a provisioner daemon offline."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A part of the probe: its condition, its status fields, its metrics."""

    condition: DomainCondition | None
    fields: Mapping[str, Any]
    figures: Mapping[Figure, float] = field(default_factory=dict)
    health: Mapping[Part, str] = field(default_factory=dict)


Refusal = errors.APIError | errors.UnexpectedShape
REFUSALS: Final = (errors.APIError, errors.UnexpectedShape)


async def ask(call: Callable[[], Awaitable[T]]) -> T | Refusal:
    """The answer, or what this endpoint says instead of one; raises what concerns the whole server."""
    try:
        return await call()
    except REFUSALS as error:
        return error


def _undetermined(type_: str, error: Refusal) -> DomainCondition:
    not_served = error.meaning is errors.Meaning.STALLED
    return DomainCondition(type_, "Unknown", Reason.NOT_SERVED if not_served else Reason(error.reason), error.message)


def has_license(entitlements: records.Entitlements | Refusal) -> bool:
    return isinstance(entitlements, records.Entitlements) and entitlements.has_license


def license_answer(entitlements: records.Entitlements | Refusal, expires: datetime | None) -> Answer:
    if isinstance(entitlements, REFUSALS):
        return Answer(_undetermined("Licensed", entitlements), {"license": None})
    if not entitlements.has_license:
        condition = DomainCondition("Licensed", "False", Reason.UNLICENSED, "no licence; add a CoderLicense")
        return Answer(condition, {"license": {"valid": False}})
    grace = any(feature.entitlement == "grace_period" for feature in entitlements.features.values())
    notes = "; ".join((*entitlements.errors, *entitlements.warnings))
    condition = DomainCondition(
        "Licensed",
        "True",
        Reason.GRACE_PERIOD if grace else Reason.LICENSED,
        notes or "the licence is valid",
    )
    return Answer(condition, {"license": {"valid": True, **_end(expires)}})


def _end(expires: datetime | None) -> dict[str, Any]:
    if expires is None:
        return {}
    return {"expiresAt": timestamp(expires), "daysLeft": days_left(expires, datetime.now(UTC))}


def replicas_answer(replicas: tuple[records.Replica, ...] | Refusal) -> Answer:
    if isinstance(replicas, REFUSALS):
        return Answer(_undetermined("ReplicasHealthy", replicas), {"replicas": None, "replicasHealthy": None})
    shown = sorted({replica.hostname: replica for replica in replicas}.values(), key=lambda item: item.hostname)
    broken = [replica for replica in replicas if replica.error]
    healthy = f"{len(replicas) - len(broken)}/{len(replicas)}"
    condition = DomainCondition(
        "ReplicasHealthy",
        "False" if broken else "True",
        Reason.REPLICA_ERRORS if broken else Reason.REPLICAS_HEALTHY,
        "; ".join(f"{replica.hostname}: {replica.error}" for replica in broken) or f"{healthy} replicas are healthy",
    )
    rows = [
        {"hostname": replica.hostname[:MAX_NAME], "region": replica.region_id}
        | ({"error": replica.error[:MAX_ERROR]} if replica.error else {})
        for replica in shown[:MAX_REPLICAS]
    ]
    figures = {REPLICAS: len(replicas), REPLICAS_HEALTHY: len(replicas) - len(broken)}
    health = {REPLICA_HEALTH: healthy if broken else WELL}
    return Answer(condition, {"replicas": rows or None, "replicasHealthy": healthy}, figures, health)


async def provisioners_answer(client: CoderClient, directory: Directory) -> Answer:
    try:
        found = [
            await client.server.provisioner_daemons(organization.id)
            for organization in (await directory.organizations())[:MAX_ORGANIZATIONS]
        ]
    except REFUSALS as error:
        return Answer(_undetermined("ProvisionersAvailable", error), {"provisionerDaemons": None})
    seen = sum(1 for daemons in found for daemon in daemons if _is_alive(daemon))
    condition = DomainCondition(
        "ProvisionersAvailable",
        "True" if seen else "False",
        Reason.PROVISIONERS_SEEN if seen else Reason.NO_PROVISIONERS,
        f"{seen} external provisioner daemons seen lately",
    )
    return Answer(condition, {"provisionerDaemons": seen})


def _is_alive(daemon: records.ProvisionerDaemon) -> bool:
    if daemon.status:
        return daemon.status != "offline"
    if daemon.heard_at is None:
        return False
    return (datetime.now(UTC) - daemon.heard_at).total_seconds() < DAEMON_SILENT_AFTER


def proxies_answer(listed: proxy_records.ProxyLists | Refusal) -> Answer:
    if isinstance(listed, REFUSALS):
        return Answer(None, {"proxiesHealthy": None})
    own = [proxy for proxy in listed.proxies if not proxy.deleted and proxy.name != "primary"]
    healthy = sum(1 for proxy in own if proxy.healthy or proxy.status.status == "ok")
    figures = {PROXIES: len(own), PROXIES_HEALTHY: healthy}
    fields = {
        "proxiesHealthy": f"{healthy}/{len(own)}" if own else None,
        "wireProfile": "documented" if listed.documented else "codersdk",
    }
    states = {proxy.name: WELL if proxy.healthy else proxy.status.status for proxy in own}
    health = {Part(PROXY_HEALTH, name[:MAX_NAME]): state[:MAX_NAME] for name, state in states.items()}
    return Answer(None, fields, figures, health)
