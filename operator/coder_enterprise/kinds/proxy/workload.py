"""The workload of a workspace proxy: what changes of its Deployment, the writes of it, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from coder_enterprise.kinds.machinery.base import Context, DomainCondition
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.proxy.find import ObservedProxy
from coder_enterprise.kinds.proxy.spec import ProxySpec
from coder_enterprise.kinds.proxy.token import fingerprint, secret_name
from coder_enterprise.kinds.proxy.workload_body import Placement, body, differences, selector

WORKLOAD_PATH: Final = "spec.workload"


def workload_changes(desired: ProxySpec, observed: ObservedProxy, *, new_token: bool) -> list[Change]:
    live, shown = observed.deployment, f"Deployment {observed.workload_name}"
    if desired.workload is None:
        owned = live is not None and observed.resource.owns(live)
        return [Change(Action.REMOVE, WORKLOAD_PATH, before=shown, event="WorkloadApplied")] if owned else []
    if not observed.token and not new_token:
        return []  # Coder showed none: there is nothing to run with
    if live is None:
        pods = selector(observed.resource.key.name)
        return [Change(Action.CREATE, WORKLOAD_PATH, after=shown, subject=pods, event="WorkloadApplied")]
    if new_token:
        return []  # not known yet, so how the pods will differ is not either
    found = differences(_declared_body(desired, observed), live)
    if not found and not observed.resource.owns(live):
        found = [("owner", "nobody", "this object")]
    return [
        Change(Action.UPDATE, f"{WORKLOAD_PATH} ({shown} {path})", str(before), str(after), event="WorkloadApplied")
        for path, before, after in found
    ]


def _declared_body(desired: ProxySpec, observed: ObservedProxy) -> dict[str, Any]:
    if desired.workload is None:
        raise AssertionError("only a workload has a body")
    place = Placement(
        name=observed.workload_name,
        instance=observed.resource.key.name,
        secret=secret_name(observed.resource, desired),
        primary_url=observed.primary_url,
        token_fingerprint=fingerprint(observed.token),
    )
    return body(desired.workload, place)


async def write_workload(context: Context, desired: ProxySpec, observed: ObservedProxy) -> ObservedProxy:
    if desired.workload is None:
        await context.beside.delete_workload(observed.resource, observed.workload_name)
        return replace(observed, deployment=None)
    applied = await context.beside.apply_workload(observed.resource, _declared_body(desired, observed))
    return replace(observed, deployment=applied)


def workload_fields(desired: ProxySpec, observed: ObservedProxy) -> dict[str, Any]:
    running = workload_state(desired, observed)
    if running is None:
        stays = observed.deployment is not None and observed.resource.owns(observed.deployment)
        return {} if stays else dict.fromkeys(("replicas", "readyReplicas", "selector"))
    shown = {"replicas": running.replicas, "readyReplicas": running.ready}
    return shown | {"selector": selector(observed.resource.key.name)}


def workload_state(desired: ProxySpec, observed: ObservedProxy) -> Availability | None:
    """None without a workload."""
    if desired.workload is None:
        return None
    if observed.deployment is None:
        return Availability(available=False, replicas=0, ready=0, message=f"{observed.workload_name} is not there yet")
    return availability(observed.deployment)


def available_condition(running: Availability | None) -> DomainCondition | None:
    if running is None:
        return None
    reason = Reason.WORKLOAD_AVAILABLE if running.available else Reason.WORKLOAD_UNAVAILABLE
    return DomainCondition("WorkloadAvailable", str(running.available), reason, running.message)


@dataclass(frozen=True)
class Availability:
    available: bool
    replicas: int
    ready: int
    message: str


def availability(live: Mapping[str, Any]) -> Availability:
    """What the Deployment says of itself."""
    status = live.get("status") or {}
    wanted = (live.get("spec") or {}).get("replicas", 1)
    ready = status.get("readyReplicas") or 0
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    available = conditions.get("Available", {}).get("status") == "True"
    return Availability(
        available=available and _is_current(live),
        replicas=status.get("replicas") or 0,
        ready=ready,
        message=f"{ready} of {wanted} replicas are ready" + _trouble(list(conditions.values()), available=available),
    )


def _is_current(live: Mapping[str, Any]) -> bool:
    """What it says is about its present spec."""
    observed = (live.get("status") or {}).get("observedGeneration") or 0
    return bool(observed >= (live["metadata"].get("generation") or 0))


def _trouble(conditions: Sequence[Mapping[str, Any]], *, available: bool) -> str:
    """The Deployment's own words for why it is not available, or why it does not get on."""
    found = [
        str(item.get("message") or item.get("reason") or "")
        for item in conditions
        if (item.get("type") == "ReplicaFailure" and item.get("status") == "True")
        or (item.get("type") == "Progressing" and item.get("status") == "False")
        or (item.get("type") == "Available" and item.get("status") == "False" and not available)
    ]
    return "".join(f"; {text}" for text in found if text)
