"""The cluster: its version, its CRDs against this program, and what you may do there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from typing_extensions import override

from coder_enterprise.client.concurrency import together
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.cluster.paths import Collection
from coder_enterprise.kinds.machinery.resource import GROUP
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.oncall.doctor.findings import CLUSTER, Finding

CRDS: Final = Collection("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
REVIEWS: Final = Collection("/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews")

OLDEST: Final = (1, 29)
"""Of the versions of Kubernetes that the install page promises."""


class Right(NamedTuple):
    verb: str
    group: str
    resource: str

    @override
    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


_RBAC: Final = "rbac.authorization.k8s.io"
TO_INSTALL: Final = (
    Right("create", "apiextensions.k8s.io", "customresourcedefinitions"),
    Right("create", _RBAC, "clusterroles"),
    Right("create", _RBAC, "clusterrolebindings"),
    Right("create", _RBAC, "roles"),
    Right("create", _RBAC, "rolebindings"),
    Right("create", "apps", "deployments"),
    Right("create", "", "serviceaccounts"),
    Right("create", "", "secrets"),
)
TO_LOOK: Final = (
    *(Right("list", GROUP, kind.names.plural) for kind in KINDS),
    Right("list", "events.k8s.io", "events"),
    Right("list", "coordination.k8s.io", "leases"),
    Right("get", "", "secrets"),
)


async def definitions(client: KubernetesClient, *, installed: bool) -> Sequence[Finding]:
    """The CRD of each kind against this program's; one that is missing is a failure when they should be `installed`."""
    ours = {kind.crd["metadata"]["name"]: kind.crd["spec"] for kind in KINDS}
    try:
        found = dict(zip(ours, await together(_definition(client, name) for name in ours), strict=True))
    except KubernetesError as error:
        return [CLUSTER.warning("CRDs", f"cannot be read: {error}", "ask for the right to get CRDs")]
    missing = [name for name, spec in found.items() if spec is None]
    other = [name for name, spec in found.items() if spec is not None and _differs(spec, ours[name])]
    same = len(found) - len(missing) - len(other)
    findings = [CLUSTER.ok("CRDs", f"{same} of {len(ours)} kinds are there as this program knows them")]
    if installed:
        step = "install the chart, or `kubectl apply -f crds`"
        findings += [CLUSTER.failure("CRDs", f"{name} is not installed", step) for name in missing]
    step = "install CRDs, operator and command of one version; Helm leaves CRDs as they are: `kubectl apply -f crds`"
    text = "is of another version than this program"
    return [*findings, *(CLUSTER.warning("CRDs", f"{name} {text}", step) for name in other)]


async def _definition(client: KubernetesClient, name: str) -> dict[str, Any] | None:
    try:
        return dict((await client.get(CRDS, "", name))["spec"])
    except Gone:
        return None


def _differs(found: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """In what is validated and stored; what Kubernetes fills in by itself is not compared."""
    schemas = [[(each["name"], each["schema"]) for each in spec["versions"]] for spec in (found, ours)]
    return schemas[0] != schemas[1]


async def kubernetes_version(client: KubernetesClient) -> Sequence[Finding]:
    """Raises `KubernetesError` when there is no answer."""
    version = await client.version()
    text = f"Kubernetes {version}"
    numbers = re.match(r"v(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        return [CLUSTER.failure("version", text, f"{OLDEST[0]}.{OLDEST[1]} or later is needed")]
    return [CLUSTER.ok("version", text)]


async def rights(client: KubernetesClient, namespace: str | None, wanted: Sequence[Right]) -> Sequence[Finding]:
    """Whether you may do that, in that namespace or in all."""
    answers = await together(_may(client, namespace, right) for right in wanted)
    where = f"in {namespace}" if namespace else "in all namespaces"
    missing = [str(right) for right, may in zip(wanted, answers, strict=True) if not may]
    if not missing:
        return [CLUSTER.ok("your rights", f"you may do all that this takes {where}")]
    return [
        CLUSTER.warning("your rights", f"you may not {right} {where}", "ask for it, or for somebody who may")
        for right in missing
    ]


async def _may(client: KubernetesClient, namespace: str | None, right: Right) -> bool:
    attributes = {**right._asdict(), **({"namespace": namespace} if namespace else {})}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await client.create(REVIEWS, "", body)
    return bool((answer.get("status") or {}).get("allowed"))
