"""Argo CD's own engine runs our Lua over every state that the operator's own code composes, of every kind."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from coder_enterprise.client import errors
from coder_enterprise.controller.result import failed
from coder_enterprise.controller.status import Outcome, Progress, compose
from coder_enterprise.kinds.base import Action, Change, DomainCondition, stalled, waiting
from coder_enterprise.kinds.common import STATUS_DEFAULT
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Resource
from tests.support.examples import KINDS
from tests.support.manifests import API_VERSION, Body

PATCH: Final = Path(__file__).parents[2] / "deploy" / "gitops" / "argocd" / "health-patch.yaml"

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


def suspended() -> Outcome:
    return Outcome("Unknown", Reason.SUSPENDED, "spec.suspend is true", Progress.DONE)


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
    "suspended just now": State([STALLED], "Suspended", edited=True, suspend=True),
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ConfigMap of Argo CD with our patch."""
    metadata = {"name": "argocd-cm", "namespace": "argocd", "labels": {"app.kubernetes.io/part-of": "argocd"}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **yaml.safe_load(PATCH.read_text())}
    path = tmp_path_factory.mktemp("argocd") / "argocd-cm.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def health(argocd: Path, settings: Path, body: Body, folder: Path) -> dict[str, str]:
    """What Argo CD says."""
    file = folder / f"{body['kind']}.yaml"
    file.write_text(yaml.safe_dump(body))
    arguments = ["admin", "settings", "resource-overrides", "health", str(file), "--argocd-cm-path", str(settings)]
    done = subprocess.run([argocd, *arguments], capture_output=True, text=True, check=False, env={"HOME": str(folder)})
    assert done.returncode == 0, done.stderr
    lines = (line.partition(": ") for line in done.stdout.splitlines())
    return {key: value for key, _, value in lines}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_argo_cd_reads_every_state_as_it_is_meant(argocd: Path, settings: Path, tmp_path: Path, state: State) -> None:
    bodies = [state.body(kind) for kind in KINDS]
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda body: health(argocd, settings, body, tmp_path), bodies))
    assert [found["STATUS"] for found in seen] == [state.health] * len(KINDS)
    assert all(state.says in found["MESSAGE"] for found in seen)
