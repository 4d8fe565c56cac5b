"""Whether the operator may do in Kubernetes what it needs: its service account, asked about by SubjectAccessReviews.

The Deployments that run the operator say which account that is, and which namespaces it watches; so what it lacks is
also found when it does not even start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from typing_extensions import override

from coder_enterprise.client.concurrency import each
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import ACCESS_REVIEWS, WORKLOADS
from coder_enterprise.cluster.rules import Rule, lease_rules, operator_rules
from coder_enterprise.oncall.doctor.findings import CLUSTER, Finding

SELECTOR: Final = "app.kubernetes.io/component=operator"
"""Of the Deployments of the chart, and of kustomize."""
COMMAND: Final = "operator"
WATCHES: Final = "--namespace="
AT_A_TIME: Final = 16
_CHECK: Final = "operator's rights"


class Account(NamedTuple):
    """A service account with which an operator runs."""

    namespace: str
    name: str
    watches: tuple[str, ...]
    """Namespaces; none is all of them."""

    @override
    def __str__(self) -> str:
        return f"service account {self.namespace}/{self.name}"


class Question(NamedTuple):
    verb: str
    group: str
    resource: str
    namespace: str
    """ "" is all of them."""
    name: str

    @override
    def __str__(self) -> str:
        what = f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")
        return f"{what} {self.name}".strip()


async def operator_rights(client: KubernetesClient, namespace: str | None) -> Sequence[Finding]:
    """Of the operators of the whole cluster, or of that namespace where nothing else may be looked into."""
    try:
        accounts = await _accounts(client, namespace)
    except KubernetesError as error:
        step = "ask for the right to list Deployments"
        return [CLUSTER.warning(_CHECK, f"the Deployment that runs the operator cannot be found: {error}", step)]
    if not accounts:
        return [CLUSTER.ok(_CHECK, "no Deployment here runs an operator, so there is no service account to look at")]
    return [finding for account in accounts for finding in await _rights_of(client, account)]


async def _accounts(client: KubernetesClient, namespace: str | None) -> list[Account]:
    try:
        found = [body async for page in client.pages(WORKLOADS, None, SELECTOR) for body in page]
    except KubernetesError as error:
        if error.status != HTTPStatus.FORBIDDEN or namespace is None:
            raise
        found = [body async for page in client.pages(WORKLOADS, namespace, SELECTOR) for body in page]
    return sorted({account for body in found for account in accounts_of(body)})


def accounts_of(deployment: Mapping[str, Any]) -> Iterator[Account]:
    """None of a Deployment that runs something else."""
    pod = deployment["spec"]["template"]["spec"]
    for container in pod.get("containers") or ():
        arguments = [*(container.get("command") or ()), *(container.get("args") or ())]
        if COMMAND in arguments:
            watched = (each.removeprefix(WATCHES) for each in arguments if each.startswith(WATCHES))
            name = pod.get("serviceAccountName") or "default"
            yield Account(deployment["metadata"]["namespace"], name, tuple(sorted(watched)))


def questions(account: Account) -> Iterator[Question]:
    """All that it needs."""
    for namespace in account.watches or ("",):
        yield from _asked(operator_rules(), namespace)
    yield from _asked(lease_rules(), account.namespace)


def _asked(rules: Sequence[Rule], namespace: str) -> Iterator[Question]:
    for rule in rules:
        for resource in rule["resources"]:
            for name in rule.get("resourceNames", ("",)):
                for verb in rule["verbs"]:
                    yield Question(verb, rule["apiGroups"][0], resource, namespace, name)


async def _rights_of(client: KubernetesClient, account: Account) -> Sequence[Finding]:
    missing: list[Question] = []

    async def ask(question: Question) -> None:
        if not await _may(client, account, question):
            missing.append(question)

    try:
        await each(dict.fromkeys(questions(account)), ask, AT_A_TIME)
    except KubernetesError as error:
        step = f"ask somebody who may create {ACCESS_REVIEWS.resource} to run this"
        return [CLUSTER.warning(_CHECK, f"you may not ask what the {account} may: {error}", step)]
    if not missing:
        where = ", ".join(account.watches) or "all namespaces"
        return [CLUSTER.ok(_CHECK, f"the {account} may do all that the operator needs in {where}")]
    step = "apply the roles of the chart, or of the overlay, of the operator's version"
    return [
        CLUSTER.failure(_CHECK, f"the {account} may not {', '.join(lacking)} in {where or 'all namespaces'}", step)
        for where, lacking in sorted(_by_namespace(missing).items())
    ]


def _by_namespace(missing: Sequence[Question]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for question in sorted(missing, key=lambda each: (each.group, each.resource, each.verb)):
        found.setdefault(question.namespace, []).append(str(question))
    return found


async def _may(client: KubernetesClient, account: Account, question: Question) -> bool:
    group, _, subresource = question.resource.partition("/")
    attributes = {
        "verb": question.verb,
        "group": question.group,
        "resource": group,
        "subresource": subresource,
        "namespace": question.namespace,
        "name": question.name,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{account.namespace}:{account.name}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{account.namespace}",
                "system:authenticated",
            ],
            "resourceAttributes": {name: value for name, value in attributes.items() if value},
        },
    }
    answer = await client.create(ACCESS_REVIEWS, "", body)
    return bool((answer.get("status") or {}).get("allowed"))
