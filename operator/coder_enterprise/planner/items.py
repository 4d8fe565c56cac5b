"""The objects of a plan: manifests that would be admitted, as the kinds know them.

Made by `planner.planning`. With a live cluster an object brings along what the operator recorded of it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import ManagedSpec
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.machinery.retention import left_alone
from coder_enterprise.kinds.registry import CONNECTION_KIND, KINDS, MANAGED_KINDS
from coder_enterprise.planner.faults import Fault, Origin
from coder_enterprise.planner.manifests import Manifest, Manifests
from coder_enterprise.planner.plans import Step, Verb
from coder_enterprise.planner.schemas import problems

Live = Mapping[Key, Resource]
"""What a cluster has."""
_MANAGED: Final[dict[str, ManagedKind[Any, Any]]] = {kind.names.kind: kind for kind in MANAGED_KINDS}
_KINDS: Final[dict[str, Any]] = {kind.names.kind: kind for kind in KINDS}


@dataclass
class Item:
    """One object on its way through a plan."""

    kind: ManagedKind[Any, Any]
    resource: Resource
    spec: ManagedSpec
    origin: Origin
    step: Step | None = None
    identity: str = ""
    """What it claims in Coder; "" while that is unknown."""

    @property
    def deployment(self) -> Key:
        return Key(CONNECTION_KIND.names.kind, *self.resource.deployment)

    @property
    def retained(self) -> str:
        """Why its deletion would leave Coder alone; "" where it would not."""
        return left_alone(self.resource.spec, self.resource.annotations)

    def stopped(self, verb: Verb, reason: Reason | str, message: str, changes: Sequence[Change] = ()) -> Step:
        """A step that something stands in the way of."""
        return Step(
            key=self.resource.key,
            verb=verb,
            title=self.kind.title(self.resource, self.spec),
            deployment=self.deployment,
            changes=tuple(changes),
            reason=Reason(reason),
            message=message,
            origin=self.origin,
        )


def items_of(manifests: Manifests, live: Live | None) -> tuple[dict[Key, Item], list[Fault]]:
    """The objects, and what is wrong with the manifests that would not be admitted."""
    items: dict[Key, Item] = {}
    faults = list(manifests.faults)
    for key, manifest in manifests.objects.items():
        found = problems(_KINDS[key.kind], manifest.body)
        faults += [Fault(manifest.origin, f"{key}: {problem}") for problem in found]
        if not found and key.kind in _MANAGED:
            kind = _MANAGED[key.kind]
            resource = _resource(manifest, (live or {}).get(key))
            items[key] = Item(kind, resource, kind.spec_model.model_validate(resource.spec), manifest.origin)
    return items, faults


def _resource(manifest: Manifest, known: Resource | None) -> Resource:
    given = manifest.body["metadata"]
    metadata = {name: given[name] for name in ("name", "labels", "annotations") if given.get(name)}
    metadata["namespace"] = manifest.key.namespace
    metadata |= {"uid": known.uid if known else str(manifest.key), "resourceVersion": "0"}
    body = {**manifest.body, "metadata": metadata, "status": dict(known.status) if known else {}}
    return Resource.from_body(manifest.key.kind, body)


def unresolved(item: Item, items: Mapping[Key, Item]) -> Key | None:
    """The first object that it refers to and that is not among them."""
    return next((key for key in item.kind.references(item.resource, item.spec) if key not in items), None)
