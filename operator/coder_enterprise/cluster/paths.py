"""Where objects live in the Kubernetes API. Used by all that send it requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION

_NO_NAME: Final = frozenset("/%?#")


@dataclass(frozen=True, slots=True)
class Collection:
    """Where objects of one type live."""

    api: str
    """Such as /api/v1 or /apis/enterprise.coder.com/v1alpha1."""
    plural: str

    @property
    def group_version(self) -> tuple[str, str]:
        """The group is "" for Kubernetes' own first kinds."""
        parts = self.api.split("/")
        return (parts[2] if parts[1] == "apis" else ""), parts[-1]

    @property
    def resource(self) -> str:
        """As RBAC and `kubectl get` name it, such as codergroups.enterprise.coder.com."""
        return ".".join(part for part in (self.plural, self.group_version[0]) if part)

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """Raises `KubernetesError` for what can be no name there, and would lead elsewhere."""
        for word in (namespace, name):
            if word in {".", ".."} or not _NO_NAME.isdisjoint(word or ""):
                raise KubernetesError(0, "Invalid", f"{word!r} is no name that Kubernetes allows")
        parts = [self.api]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


SECRETS: Final = Collection("/api/v1", "secrets")
PODS: Final = Collection("/api/v1", "pods")
NAMESPACES: Final = Collection("/api/v1", "namespaces")
WORKLOADS: Final = Collection("/apis/apps/v1", "deployments")
EVENTS: Final = Collection("/apis/events.k8s.io/v1", "events")
LEASES: Final = Collection("/apis/coordination.k8s.io/v1", "leases")
TOKEN_REVIEWS: Final = Collection("/apis/authentication.k8s.io/v1", "tokenreviews")
ACCESS_REVIEWS: Final = Collection("/apis/authorization.k8s.io/v1", "subjectaccessreviews")


def custom(plural: str) -> Collection:
    return Collection(f"/apis/{GROUP}/{VERSION}", plural)
