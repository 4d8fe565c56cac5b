"""Under what the store files each object, in named terms: where it belongs, what it stands for, what it refers to.

Asked by the store for every version of every object. It reads one object at a time and knows no other; who is woken
by what, `controller.wakes` decides, and finds whom by these terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from coder_enterprise.controller.visit import understood
from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.connection import ConnectionKind
from coder_enterprise.kinds.machinery.people import Mention, texts
from coder_enterprise.kinds.machinery.resource import Key, Resource


class Relation(StrEnum):
    """What the objects have in common that are filed under one term."""

    DEPLOYMENT = "deployment"
    """They belong to one CoderDeployment."""
    WAITING = "waiting"
    """They belong to it, and wait for somebody or something to appear in its Coder."""
    EXTERNAL_ID = "external-id"
    """They have recorded the same thing in Coder."""
    EXTERNAL_NAME = "external-name"
    """They declare a thing of the same name."""
    SECRET = "secret"  # noqa: S105
    """They need one Secret."""
    REFERENCE = "reference"
    """They refer to one of our objects."""


class Term(NamedTuple):
    relation: Relation
    scope: str
    """The kind, or for a Secret and a CoderDeployment the namespace, that `name` belongs to."""
    name: str


def of_deployment(deployment: Key) -> Term:
    return Term(Relation.DEPLOYMENT, deployment.namespace, deployment.name)


def waiting_in(deployment: Key) -> Term:
    return Term(Relation.WAITING, deployment.namespace, deployment.name)


def with_id(kind: str, external_id: str) -> Term:
    return Term(Relation.EXTERNAL_ID, kind, external_id)


def with_name(kind: str, external_name: str) -> Term:
    return Term(Relation.EXTERNAL_NAME, kind, external_name)


def using_secret(namespace: str, name: str) -> Term:
    return Term(Relation.SECRET, namespace, name)


def referring_to(key: Key) -> Term:
    return Term(Relation.REFERENCE, key.kind, key.namespaced_name)


_CONTESTED: Final = frozenset({Relation.EXTERNAL_ID, Relation.EXTERNAL_NAME})


class Index:
    def __init__(self, connection_kind: ConnectionKind[Any], managed_kinds: Sequence[ManagedKind[Any, Any]]) -> None:
        self._connection_kind = connection_kind
        self._kinds = {kind.names.kind: kind for kind in managed_kinds}

    def is_deployment(self, key: Key) -> bool:
        """Whether it is a CoderDeployment."""
        return key.kind == self._connection_kind.names.kind

    def deployment_of(self, resource: Resource) -> Key:
        """Itself, or the CoderDeployment that it refers to."""
        if self.is_deployment(resource.key):
            return resource.key
        namespace, name = resource.deployment
        return Key(self._connection_kind.names.kind, namespace, name)

    def terms(self, resource: Resource) -> Iterator[Term]:
        """A pure function of the object. What a spec says that nobody understands, it is not filed under."""
        if self.is_deployment(resource.key):
            yield from self._of_connection(resource)
        else:
            yield from self._of_managed(resource)

    def contested(self, resource: Resource) -> Iterator[Term]:
        """Those under which others may be filed that want the same thing in Coder."""
        return (term for term in self.terms(resource) if term.relation in _CONTESTED)

    def mentions(self, resource: Resource) -> Iterable[Mention]:
        """Where its spec names people; a pure function of the object, as all here."""
        kind = self._kinds.get(resource.key.kind)
        return kind.mentions(resource) if kind else ()

    def awaited(self, resource: Resource) -> tuple[str, ...]:
        """For whom or what its status says that it waits."""
        kind = self._kinds.get(resource.key.kind)
        return tuple(texts(resource.status, kind.pending_field)) if kind and kind.pending_field else ()

    def references(self, resource: Resource) -> tuple[Key, ...]:
        """The other objects that its spec refers to."""
        kind = self._kinds.get(resource.key.kind)
        spec = understood(kind.spec_model, resource) if kind else None
        return tuple(dict.fromkeys(kind.references(resource, spec))) if kind and spec is not None else ()

    def secrets(self, resource: Resource) -> tuple[str, ...]:
        """Names of the Secrets in its namespace that it needs."""
        found = (term.name for term in self.terms(resource) if term.relation is Relation.SECRET)
        return tuple(dict.fromkeys(found))

    def _of_connection(self, resource: Resource) -> Iterator[Term]:
        spec = understood(self._connection_kind.spec_model, resource)
        for ref in self._connection_kind.secrets(spec) if spec is not None else ():
            yield using_secret(resource.key.namespace, ref.name)

    def _of_managed(self, resource: Resource) -> Iterator[Term]:
        key, kind = resource.key, self._kinds[resource.key.kind]
        deployment = self.deployment_of(resource)
        yield of_deployment(deployment)
        if resource.external_id:
            yield with_id(key.kind, resource.external_id)
        if kind.waits(resource):
            yield waiting_in(deployment)
        spec = understood(kind.spec_model, resource)
        if spec is None:
            return
        yield with_name(key.kind, kind.external_name(resource, spec))
        for name in kind.secrets(resource, spec):
            yield using_secret(key.namespace, name)
        for reference in kind.references(resource, spec):
            yield referring_to(reference)
