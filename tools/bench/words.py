"""What each figure of the operator is called, and how it is written: on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SECONDS: Final = "{:,.2f} s"
MILLISECONDS: Final = "{:,.1f} ms"
MIB: Final = "{:,.0f} MiB"
KIB: Final = "{:,.2f} KiB"
RATIO: Final = "{:.2f}"
COUNT: Final = "{:,.0f}"

GROWTH: Final = {
    "floor_seconds": ("a bare script, the same requests", SECONDS),
    "create_seconds": ("created to all Ready", SECONDS),
    "create_to_floor": ("… as a ratio to the bare script", RATIO),
    "seeded_seconds": ("put there converged, without the operator", SECONDS),
    "cpu_ms_per_object": ("the operator's CPU for an object", MILLISECONDS),
    "cpu_ms_per_object_apiserver": ("… the API server's", MILLISECONDS),
    "cpu_ms_per_object_coder": ("… Coder's", MILLISECONDS),
    "cpu_to_coder": ("… the operator's as a ratio to Coder's", RATIO),
    "writes_per_object": ("writes to Kubernetes for an object", RATIO),
    "changes_per_object": ("groups made in Coder for an object", RATIO),
    "idle_memory_mib": ("memory of the operator, connected, without objects", MIB),
    "memory_mib": ("… with all objects, after they were created", MIB),
    "peak_mib": ("… at most, while they were", MIB),
    "kib_per_object": ("… for an object", KIB),
}
CHANGES: Final = {
    "edit_p50_ms": ("an edit to its effect in Coder, p50", MILLISECONDS),
    "edit_p99_ms": ("… p99", MILLISECONDS),
    "burst_floor_seconds": ("a burst of edits by a bare script", SECONDS),
    "burst_objects": ("a burst: edits at once", COUNT),
    "burst_seconds": ("… to all Ready", SECONDS),
    "burst_cpu_ms_per_object": ("… the operator's CPU for an edit", MILLISECONDS),
    "burst_writes_per_object": ("… writes to Kubernetes for an edit", RATIO),
    "drift_objects": ("drift: groups changed in Coder", COUNT),
    "drift_seconds": ("… until all are repaired, with up to 5 s of waiting for the resync", SECONDS),
    "drift_cpu_seconds": ("… the operator's CPU", SECONDS),
    "drift_left": ("… groups that are still wrong", COUNT),
}
LIFECYCLE: Final = {
    "restart_seconds": ("restart to all compared", SECONDS),
    "restart_cpu_seconds": ("… the operator's CPU", SECONDS),
    "restart_objects_written": ("… objects written", COUNT),
    "restart_changes": ("… changes in Coder", COUNT),
    "restart_memory_mib": ("… memory afterwards", MIB),
    "restart_peak_mib": ("… at most", MIB),
    "restart_kib_per_object": ("… for an object", KIB),
    "end_memory_mib": ("memory at the end of all this", MIB),
    "end_peak_mib": ("… at most, since the failover", MIB),
    "failover_seconds": ("the working replica is killed, to an edit's effect in Coder", SECONDS),
    "deletion_floor_seconds": ("deletion of as many by a bare script", SECONDS),
    "deletion_seconds": ("deletion of all", SECONDS),
    "deletion_cpu_ms_per_object": ("… the operator's CPU for an object", MILLISECONDS),
    "deletion_writes_per_object": ("… writes to Kubernetes for an object", RATIO),
    "deletion_left": ("… groups left in Coder", COUNT),
}
REST: Final = {
    "rest_seconds": ("at rest for", "{:,.0f} s"),
    "rest_hurried": ("… by a clock that runs so many times as fast", COUNT),
    "rest_writes": ("writes to Kubernetes, without Leases", COUNT),
    "rest_changes": ("changes in Coder", COUNT),
    "rest_kubernetes_per_hour": ("requests to Kubernetes in an hour", COUNT),
    "rest_coder_per_hour": ("requests to Coder in an hour", COUNT),
    "rest_per_object_hour": ("requests for an object in an hour", "{:.3f}"),
    "rest_cpu_percent": ("the operator's CPU, of one core", "{:.2f} %"),
    "rest_memory_before_mib": ("memory before", MIB),
    "rest_memory_after_mib": ("… after", MIB),
}
OUTAGE: Final = {
    "outage_seconds": ("Coder was away for", "{:,.0f} s"),
    "outage_events": ("events", COUNT),
    "outage_objects_written": ("objects written", COUNT),
    "outage_writes": ("writes to Kubernetes, without Leases", COUNT),
    "outage_recovery_seconds": ("from its return to all compared", SECONDS),
}
OPERATOR: Final = {**GROWTH, **CHANGES, **LIFECYCLE, **REST, **OUTAGE}

SHARED: Final = {
    "deployments": ("CoderDeployments, each with a Coder of its own", COUNT),
    "idle_memory_mib": GROWTH["idle_memory_mib"],
    "seeded_seconds": GROWTH["seeded_seconds"],
    "both_seconds": ("two replicas begin, to all compared", SECONDS),
    "both_written": ("… writes to Kubernetes, without Leases", COUNT),
    "memory_smaller_mib": ("memory of the one replica", MIB),
    "memory_larger_mib": ("… of the other", MIB),
    "takeover_seconds": ("one is killed, to the other having compared its objects", SECONDS),
    **REST,
}


def rows(figures: Mapping[str, Any], words: Mapping[str, tuple[str, str]] = OPERATOR) -> dict[str, str]:
    """What was measured, in words, in the order of the words."""
    return {text: form.format(figures[name]) for name, (text, form) in words.items() if name in figures}
