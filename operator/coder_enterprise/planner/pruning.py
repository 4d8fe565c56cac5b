"""What is no longer declared: objects that a live cluster, or a former plan, has and the manifests have not.

Called by the commands with `--prune`. Only the namespaces that the manifests speak of are looked at: what others
declare elsewhere is none of this plan's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coder_enterprise.kinds.machinery.resource import CLAIM, Key, Resource
from coder_enterprise.kinds.machinery.retention import left_alone
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
from coder_enterprise.planner.manifests import Manifests
from coder_enterprise.planner.plans import VERSION, Step, Verb

_THINGS = {kind.names.kind for kind in MANAGED_KINDS}


class PlanFileError(Exception):
    """The file is no plan; the message says why."""


def gone_from_cluster(live: Iterable[Resource], manifests: Manifests) -> list[Step]:
    """Steps for objects of the cluster that the manifests do not declare."""
    namespaces = {key.namespace for key in manifests.objects}
    return [
        _step(resource.key, _deployment(*resource.deployment), resource.external_id, _kept(resource))
        for resource in live
        if resource.key.kind in _THINGS
        and resource.key.namespace in namespaces
        and resource.key not in manifests.objects
        and not resource.deleting
    ]


def gone_since_plan(text: str, manifests: Manifests) -> list[Step]:
    """Steps for objects of a former plan, as `--output json` printed it. Raises `PlanFileError`."""
    try:
        document = json.loads(text)
        version = document["version"]
        found = list(_former(document["steps"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PlanFileError("it is no plan that `coder-enterprise plan --output json` has printed") from None
    if version != VERSION:
        raise PlanFileError(f"it is a plan of version {version}, and this program reads {VERSION}")
    return [step for step in found if step.key not in manifests.objects]


def _former(steps: Iterable[Mapping[str, Any]]) -> Iterator[Step]:
    for step in steps:
        if step["action"] not in (Verb.DELETE, Verb.REFUSE):
            key = Key(*(_text(step[name]) for name in ("kind", "namespace", "name")))
            namespace, _, name = _text(step.get("deployment") or f"{key.namespace}/coder").partition("/")
            external_id = _text(step.get("id") or "") or None
            yield _step(key, _deployment(namespace, name), external_id, _text(step.get("retained") or ""))


def _text(value: Any) -> str:
    """Raises TypeError for what is none."""
    if not isinstance(value, str):
        raise TypeError
    return value


def _deployment(namespace: str, name: str) -> Key:
    return Key(CONNECTION_KIND.names.kind, namespace, name)


def _kept(resource: Resource) -> str:
    """Why the operator would leave Coder alone; "" where it would delete."""
    if resource.external_id is None and CLAIM not in resource.annotations:
        return "it was never applied"
    return left_alone(resource.spec, resource.annotations)


def _step(key: Key, deployment: Key, external_id: str | None, kept: str) -> Step:
    if kept:
        stays = f"{external_id} stays" if external_id else "nothing is deleted"
        message = f"no longer declared; {kept}, and {stays} in Coder"
        return Step(key, Verb.UNCHANGED, key.name, deployment, external_id, message=message)
    return Step(key, Verb.DELETE, key.name, deployment, external_id, message="no longer declared")
