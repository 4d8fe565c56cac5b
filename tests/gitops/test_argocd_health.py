"""Argo CD's own engine runs our Lua over every state that the operator's own code composes, of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pytest

from coder_enterprise.client import errors
from coder_enterprise.controller.outcomes import failed
from coder_enterprise.controller.status import Outcome, compose
from coder_enterprise.kinds.machinery.base import DomainCondition, Progress
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.common import STATUS_DEFAULT
from coder_enterprise.kinds.machinery.errors import stalled, waiting
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from tests.gitops.resource_overrides import ResourceOverrides
from tests.support.examples import KINDS
from tests.support.manifests import API_VERSION, Body

APPLIED: Final = Outcome(
    "True",
    Reason.APPLIED,
    "applied",
    Progress.DONE,
    synced=DomainCondition("Synced", "True", Reason.IN_SYNC, "Coder has what spec declares"),
    fields={"id": "df5e2f07-4c62-4732-981c-392850ce6cd6"},
)
PENDING: Final = Outcome("True", Reason.PENDING_MEMBERS, "1 of 2 does not exist yet", Progress.DONE)
PLANNED: Final = Outcome(
    "True",
    Reason.PLANNED,
    "1 difference",
    Progress.DONE,
    synced=DomainCondition("Synced", "False", Reason.DRIFTED, "1 difference"),
    pending=[Change(Action.UPDATE, "spec.displayName", before="a", after="b")],
)
WAITING: Final = failed(waiting(Reason.WAITING_FOR_DEPLOYMENT, "there is no CoderDeployment"))
UNREACHABLE: Final = failed(errors.Unreachable("no answer"))
STALLED: Final = failed(stalled(Reason.ALREADY_EXISTS, "a group of that name exists"))
UNHEALTHY: Final = Outcome("False", Reason.PROXY_UNREACHABLE, "Coder cannot reach it", Progress.WORKING)


def suspended(why: str = "spec.suspend is true") -> Outcome:
    return Outcome("Unknown", Reason.SUSPENDED, why, Progress.DONE)


@dataclass(frozen=True)
class State:
    """What was composed, one after the other, and what Argo CD is to make of it."""

    outcomes: Sequence[Outcome]
    health: str
    says: str = ""
    edited: bool = False
    """Since the last visit."""
    suspend: bool = False

    def body(self, kind: str) -> Body:
        metadata = {"name": "one", "namespace": "team", "uid": "u1", "resourceVersion": "1", "generation": 1}
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": {}, "status": STATUS_DEFAULT}
        for outcome in self.outcomes:
            body["status"] = compose(Resource.from_body(kind, body), outcome)
        spec = {"suspend": True} if self.suspend else {}
        return body | {"metadata": metadata | {"generation": 2 if self.edited else 1}, "spec": spec}


STATES: Final = {
    "not visited": State([], "Progressing"),
    "applied": State([APPLIED], "Healthy", "Applied: applied"),
    "pending members": State([PENDING], "Healthy", "PendingMembers: 1 of 2 does not exist yet"),
    "planned": State([PLANNED], "Healthy", "Planned: 1 difference"),
    "waiting": State([WAITING], "Progressing", "WaitingForDeployment: there is no CoderDeployment"),
    "unreachable": State([APPLIED, UNREACHABLE], "Progressing", "Unreachable: no answer"),
    "unhealthy": State([UNHEALTHY], "Progressing", "ProxyUnreachable: Coder cannot reach it"),
    "stalled": State([WAITING, STALLED], "Degraded", "AlreadyExists: a group of that name exists"),
    "repaired": State([STALLED, APPLIED], "Healthy", "Applied: applied"),
    "edited": State([APPLIED], "Progressing", edited=True),
    "stalled and edited": State([STALLED], "Progressing", edited=True),
    "suspended": State([APPLIED, suspended()], "Suspended", suspend=True),
    "suspended before it was ready": State([suspended()], "Suspended", suspend=True),
    "suspended until a time": State([APPLIED, suspended("spec.suspendUntil is tomorrow")], "Suspended", "is tomorrow"),
    "suspended just now": State([STALLED], "Suspended", edited=True, suspend=True),
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_argo_cd_reads_every_state_as_it_is_meant(overrides: ResourceOverrides, state: State) -> None:
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(overrides.health, [state.body(kind) for kind in KINDS]))
    assert [status for status, _ in seen] == [state.health] * len(KINDS)
    assert all(state.says in message for _, message in seen)
