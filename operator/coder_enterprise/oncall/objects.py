"""The objects of our kinds in a cluster, as a person names them.

Which kinds there are, the API server itself is asked, as kubectl does it: so nothing here knows a kind by name, and a
command starts without the models of any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from coder_enterprise.client.concurrency import together
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone
from coder_enterprise.cluster.paths import custom
from coder_enterprise.kinds.machinery.object_names import name_fault
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION, Key, Names, Resource
from coder_enterprise.oncall.errors import CannotDo


class Kinds(tuple[Names, ...]):
    """Those that the cluster has."""

    def named(self, word: str) -> Names:
        """By kind, plural, singular or short name, in any case. Raises `CannotDo`."""
        wanted = word.lower().removesuffix(f".{GROUP}")
        for names in self:
            if wanted in {names.kind.lower(), names.plural, names.singular, names.short}:
                return names
        raise CannotDo(f"there is no kind {word}", f"there are {', '.join(names.singular for names in self)}")

    def key(self, target: str, namespace: str) -> Key:
        """Of KIND/NAME. Raises `CannotDo`."""
        kind, slash, name = target.partition("/")
        if not (slash and name) or "/" in name:
            raise CannotDo(f"{target!r} is not KIND/NAME", "such as codergroup/platform")
        if fault := name_fault(name):
            raise CannotDo(fault, "`coder-enterprise get` lists those that there are")
        return Key(self.named(kind).kind, namespace, name)

    def path_of(self, key: Key) -> str:
        """The plural, as in paths."""
        return self.named(key.kind).plural


async def discover(client: KubernetesClient) -> Kinds:
    """Raises `CannotDo` when the cluster has none of our kinds, and `KubernetesError`."""
    try:
        resources = await client.discover(f"/apis/{GROUP}/{VERSION}")
    except Gone:
        raise CannotDo(
            f"this cluster has no kinds of {GROUP}/{VERSION}", "install the chart, or `kubectl apply -f crds`"
        ) from None
    found = (
        Names(each["kind"], each["name"], each.get("singularName", ""), (each.get("shortNames") or [""])[0])
        for each in resources
        if "/" not in each["name"]
    )
    return Kinds(sorted(found, key=lambda names: names.kind))


async def read(client: KubernetesClient, kinds: Iterable[Names], namespace: str | None) -> list[Resource]:
    """All objects of these kinds, in that namespace or in all. Raises `KubernetesError`."""

    async def one(names: Names) -> list[Resource]:
        bodies, _ = await client.listing(custom(names.plural), namespace)
        return [Resource.from_body(names.kind, body) for body in bodies]

    return [resource for found in await together(map(one, kinds)) for resource in found]


class NotThere(CannotDo):
    def __init__(self, key: Key) -> None:
        super().__init__(
            f"there is no {key.kind} {key.name} in the namespace {key.namespace}", "name another one with --namespace"
        )


async def body(client: KubernetesClient, kinds: Kinds, key: Key) -> dict[str, Any]:
    """As the API server has it. Raises `NotThere`, and `KubernetesError`."""
    try:
        return await client.get(custom(kinds.path_of(key)), key.namespace, key.name)
    except Gone:
        raise NotThere(key) from None


async def get(client: KubernetesClient, kinds: Kinds, key: Key) -> Resource:
    """Raises `NotThere`, and `KubernetesError`."""
    return Resource.from_body(key.kind, await body(client, kinds, key))


async def find(client: KubernetesClient, kinds: Kinds, targets: Sequence[str], namespace: str) -> list[Resource]:
    """Those that are named, each as KIND/NAME. Raises `CannotDo` for the first that is not there."""
    return [await get(client, kinds, kinds.key(target, namespace)) for target in targets]
