"""A custom resource as the operator keeps it: trimmed, immutable, comparable.

Made by the controller from watch events and from answers to its own writes; read by the kinds.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from typing_extensions import override

from coder_enterprise.kinds.machinery.sharing import shared, shared_status

GROUP: Final = "enterprise.coder.com"
VERSION: Final = "v1alpha1"
FINALIZER: Final = f"{GROUP}/finalizer"

WATCH_LABEL: Final = f"{GROUP}/watch"
"""On a Secret: the operator notices its changes within seconds."""
FORCE_DETACH: Final = f"{GROUP}/force-detach"
RECONCILE_REQUESTED_AT: Final = f"{GROUP}/reconcile-requested-at"
ROTATE_TOKEN_AT: Final = f"{GROUP}/rotate-token-at"
"""On a CoderWorkspaceProxy: give it a new token once for each value."""
CLAIM: Final = f"{GROUP}/claim"
"""Written with the finalizer, before the first create: the object's uid and the external name it is about to
create. After a crash between create and status it proves that the thing in Coder is ours."""


EXTERNAL_ID: Final = "id"
"""The field in which the status of every kind that stands for something in Coder records what that is."""


@dataclass(frozen=True)
class Names:
    """What Kubernetes calls a kind."""

    kind: str
    plural: str
    singular: str
    short: str


class Key(NamedTuple):
    """Names one object of the cluster."""

    kind: str
    namespace: str
    name: str

    @property
    def namespaced_name(self) -> str:
        """Both, with a slash between: as people write it where the kind is known."""
        return f"{self.namespace}/{self.name}"

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.namespaced_name}"


@dataclass(frozen=True, slots=True)
class Resource:
    key: Key
    uid: str
    generation: int
    resource_version: str
    created: str
    """RFC 3339, as Kubernetes writes it: sorts by age, to the second."""
    deleting: bool
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str]
    """Only those of our own group."""
    spec: Mapping[str, Any]
    status: Mapping[str, Any]

    @classmethod
    def from_body(cls, kind: str, body: Mapping[str, Any]) -> Resource:
        """From an object as the API server sends it."""
        meta = body["metadata"]
        annotations = meta.get("annotations") or {}
        return cls(
            key=Key(sys.intern(kind), sys.intern(meta["namespace"]), sys.intern(meta["name"])),
            uid=meta["uid"],
            generation=meta.get("generation", 1),
            resource_version=meta["resourceVersion"],
            created=sys.intern(meta.get("creationTimestamp", "")),
            deleting=bool(meta.get("deletionTimestamp")),
            finalizers=tuple(map(sys.intern, meta.get("finalizers") or ())),
            annotations={sys.intern(name): value for name, value in annotations.items() if name.startswith(GROUP)},
            spec=shared(_mapping(body.get("spec"))),
            status=shared_status(_mapping(body.get("status"))),
        )

    @property
    def external_id(self) -> str | None:
        """The id in Coder that status has recorded."""
        return _text(self.status.get(EXTERNAL_ID)) or None

    @property
    def deployment(self) -> tuple[str, str]:
        """Namespace and name of the CoderDeployment that spec refers to, also when spec does not parse."""
        ref = self.spec.get("deploymentRef")
        if not isinstance(ref, dict):
            return (self.key.namespace, "coder")
        return (_text(ref.get("namespace")) or self.key.namespace, _text(ref.get("name")) or "coder")

    def owns(self, body: Mapping[str, Any]) -> bool:
        """Whether that object of Kubernetes was made for this one."""
        owners = body["metadata"].get("ownerReferences") or ()
        return any(owner.get("uid") == self.uid for owner in owners)

    @property
    def age(self) -> tuple[str, str]:
        """Sorts the oldest first; the uid decides within one second."""
        return (self.created, self.uid)

    def as_read(self, earlier: Resource) -> Resource:
        """This version, with what users declare as it was in `earlier`: what is said of it then is true of that."""
        return replace(self, generation=earlier.generation, spec=earlier.spec, annotations=earlier.annotations)

    def condition(self, type_: str) -> Mapping[str, Any] | None:
        """The condition of that type, or None; other objects share it."""
        for condition in self.status.get("conditions") or ():
            if condition["type"] == type_:
                found: Mapping[str, Any] = condition
                return found
        return None

    @property
    def ready(self) -> bool:
        condition = self.condition("Ready")
        return condition is not None and condition.get("status") == "True"

    @property
    def settled(self) -> bool:
        """Applied as it is declared now, and not on its way out."""
        return self.ready and not self.deleting and self.status.get("observedGeneration") == self.generation


def _mapping(value: Any) -> dict[str, Any]:
    """What should be one, and with a CRD of another version need not be."""
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """In the same sense."""
    return value if isinstance(value, str) else ""
