"""What all kinds have in common: the policies in spec, the conditions in status, and the shape of a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import AwareDatetime, Field

from coder_enterprise.kinds.machinery import durations
from coder_enterprise.kinds.machinery.crd import Column
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.schema import Cel, Immutable, KindModel, ListMap

MAX_PENDING_CHANGES: Final = 100
MAX_LEFT_BEHIND: Final = 500
"""Of objects that are gone, in the status of their CoderDeployment; older ones are forgotten."""
MAX_TEXT: Final = 1024

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Namespace = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Duration = Annotated[
    str,
    Field(max_length=32, pattern=durations.PATTERN),
    Cel("duration(self) >= duration('5s')", "must be at least 5s"),
]
SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
Text = Annotated[str, Field(max_length=1024)]
Organization = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$")]
"""Name or id."""
Picture = Annotated[str, Field(max_length=2048, pattern=r"^(https?://[^\t-\r ]+|/[^\t-\r ]*)?$")]
"""An http(s) URL, or a path on the deployment; "" is none."""


class SecretRef(KindModel):
    """Where a Secret has a value; each use has a key of its own by default."""

    name: ObjectName
    """Name of a Secret in the same namespace."""
    key: SecretKey


class ManagementPolicy(StrEnum):
    ENFORCE = "Enforce"
    PLAN = "Plan"
    OBSERVE = "Observe"


class AdoptionPolicy(StrEnum):
    FAIL = "Fail"
    ADOPT_IF_IDENTICAL = "AdoptIfIdentical"
    ADOPT = "Adopt"


class DeletionPolicy(StrEnum):
    DELETE = "Delete"
    RETAIN = "Retain"


class DeploymentRef(KindModel):
    name: ObjectName = "coder"
    """Name of the CoderDeployment. Default: coder."""
    namespace: Namespace | None = None
    """Its namespace; in another one than the object's own, the CoderDeployment must allow it: spec.allowedNamespaces
    or spec.allow. Default: the object's own."""


class BaseSpec(KindModel):
    """Settings of the reconcile itself, which every kind has."""

    suspend: bool = False
    """Stop reconciling: nothing is read or written until this is false again, and an object that is deleted leaves
    what it stands for in Coder. Default: false."""
    suspend_until: AwareDatetime | None = None
    """Stop reconciling until then, as with suspend, and go on by itself afterwards, such as 2026-12-24T06:00:00Z."""
    resync_interval: Duration | None = None
    """How often Coder is read again to find drift, such as 90s, 5m or 1h; at least 5s."""


class ManagedSpec(BaseSpec):
    """Policies of a kind that stands for something in Coder."""

    deployment_ref: Annotated[
        DeploymentRef, Immutable("deploymentRef cannot change: delete the object and create it anew")
    ] = DeploymentRef()
    """The CoderDeployment that this object belongs to. Default: the one named coder in the same namespace."""
    management_policy: ManagementPolicy = ManagementPolicy.ENFORCE
    """Enforce makes Coder match; Plan only shows the difference in status.pendingChanges; Observe only shows
    what Coder has. Default: Enforce."""
    adoption_policy: AdoptionPolicy = AdoptionPolicy.FAIL
    """What to do when it exists in Coder already and was not made by this object: Fail, AdoptIfIdentical, or
    Adopt, which changes it to match. Default: Fail."""
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    """What happens in Coder when the object is deleted. Default: Delete."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "has(self.deploymentRef) == has(oldSelf.deploymentRef)",
            "deploymentRef cannot change: delete the object and create it anew",
            field_path=".deploymentRef",
        ),
    )


class Condition(KindModel):
    type: Annotated[str, Field(max_length=316)]
    status: Annotated[str, Field(max_length=16)]
    reason: Annotated[str, Field(max_length=128)]
    message: Annotated[str, Field(max_length=32768)] = ""
    last_transition_time: datetime
    observed_generation: int | None = None


class PendingChange(KindModel):
    path: Annotated[str, Field(max_length=512)]
    """The field of spec that differs."""
    from_: Annotated[Annotated[str, Field(max_length=MAX_TEXT)] | None, Field(alias="from")] = None
    """What Coder has."""
    to: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    """What spec declares."""


class BaseStatus(KindModel):
    observed_generation: int | None = None
    """The generation of spec that this status speaks of; -1 before the first visit."""
    conditions: Annotated[list[Condition] | None, Field(max_length=16), ListMap("type")] = None
    last_handled_reconcile_at: Annotated[str, Field(max_length=256)] | None = Field(
        None, alias="lastHandledReconcileAt"
    )
    """The value of the annotation enterprise.coder.com/reconcile-requested-at that was acted on last."""


class ManagedStatus(BaseStatus):
    pending_changes: Annotated[list[PendingChange], Field(max_length=MAX_PENDING_CHANGES + 1)] | None = None
    """What differs from Coder and is not applied, because of managementPolicy or adoptionPolicy."""


NEVER: Final = "1970-01-01T00:00:00Z"

STATUS_DEFAULT: Final[Mapping[str, Any]] = {
    "observedGeneration": -1,
    "conditions": [
        {
            "type": "Ready",
            "status": "Unknown",
            "reason": str(Reason.PENDING),
            "message": "Waiting for the operator",
            "lastTransitionTime": NEVER,
        }
    ],
}
"""What an object shows before the operator's first visit, so that nothing looks done too early."""

READY_COLUMNS: Final = (
    Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
)
AGE_COLUMNS: Final = (
    Column("Suspended until", ".spec.suspendUntil", priority=1),
    Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
    Column("Age", ".metadata.creationTimestamp", type="date"),
)


def bounded(changes: Sequence[PendingChange]) -> list[dict[str, Any]]:
    """As status holds them: at most `MAX_PENDING_CHANGES`, and a last entry that counts the rest."""
    shown = list(changes[:MAX_PENDING_CHANGES])
    if len(changes) > len(shown):
        shown.append(PendingChange(path=f"… and {len(changes) - len(shown)} more"))
    return [change.model_dump(by_alias=True, exclude_none=True) for change in shown]
