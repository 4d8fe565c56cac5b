"""What a person may do to objects: ask for a reconcile, suspend, resume, and let go.

Called by the commands of the same names. Each is one merge patch, as `kubectl annotate` or `kubectl patch` would send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from coder_enterprise.client.concurrency import each
from coder_enterprise.cluster import watching
from coder_enterprise.cluster.client import KubernetesClient, micro_time
from coder_enterprise.cluster.paths import Collection, custom
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.resource import FORCE_DETACH, RECONCILE_REQUESTED_AT, Key, Resource
from coder_enterprise.oncall.errors import CannotDo
from coder_enterprise.oncall.objects import Kinds
from coder_enterprise.oncall.standing import Standing, standing

AT_A_TIME: Final = 32


async def request_reconcile(
    client: KubernetesClient, kinds: Kinds, keys: Iterable[Key], progress: Callable[[int, int], object]
) -> dict[Key, str]:
    """Have them reconciled now; what each will acknowledge in status.lastHandledReconcileAt. `progress` is told how
    many have been asked, and of how many. Raises `KubernetesError`."""
    asked = dict.fromkeys(keys, micro_time())
    done = 0

    async def ask(key: Key) -> None:
        nonlocal done
        await _patch(client, kinds, key, {"metadata": {"annotations": {RECONCILE_REQUESTED_AT: asked[key]}}})
        done += 1
        progress(done, len(asked))

    await each(asked, ask, AT_A_TIME)
    return asked


async def wait_until_handled(
    client: KubernetesClient, kinds: Kinds, asked: Mapping[Key, str], say: Callable[[Standing], None]
) -> None:
    """Until the operator has visited all of them; `say` is told how each stands then. One that goes is done."""
    collections = {(key.kind, key.namespace) for key in asked}
    await asyncio.gather(
        *(
            _wait(client, custom(kinds.named(kind).plural), kind, namespace, asked, say)
            for kind, namespace in collections
        )
    )


async def _wait(
    client: KubernetesClient,
    collection: Collection,
    kind: str,
    namespace: str,
    asked: Mapping[Key, str],
    say: Callable[[Standing], None],
) -> None:
    left = {key for key in asked if (key.kind, key.namespace) == (kind, namespace)}
    stream = watching.follow(client, collection, namespace)
    try:
        async for seen in stream:
            bodies = seen.objects if isinstance(seen, watching.Listed) else (seen.object,)
            found = {resource.key: resource for resource in (Resource.from_body(kind, body) for body in bodies)}
            gone = left - found.keys() if isinstance(seen, watching.Listed) else _deleted(seen, found)
            for key in left & found.keys():
                if key not in gone and _handled(found[key], asked[key]):
                    gone.add(key)
                    say(standing(found[key]))
            left -= gone
            if not left:
                return
    finally:
        await stream.aclose()


def _deleted(seen: watching.Changed, found: Mapping[Key, Resource]) -> set[Key]:
    return set(found) if seen.type == "DELETED" else set()


def _handled(resource: Resource, value: str) -> bool:
    handled = resource.status.get("lastHandledReconcileAt") == value
    return handled and resource.status.get("observedGeneration") == resource.generation


async def suspend(client: KubernetesClient, kinds: Kinds, key: Key, until: datetime | None) -> None:
    """Until then; without a time, until it is resumed. Raises `KubernetesError`."""
    change = {"suspend": True} if until is None else {"suspend": False, "suspendUntil": timestamp(until)}
    await _patch(client, kinds, key, {"spec": change})


async def resume(client: KubernetesClient, kinds: Kinds, key: Key) -> None:
    """Raises `KubernetesError`."""
    await _patch(client, kinds, key, {"spec": {"suspend": False, "suspendUntil": None}})


async def force_detach(client: KubernetesClient, kinds: Kinds, key: Key) -> None:
    """Raises `KubernetesError`."""
    await _patch(client, kinds, key, {"metadata": {"annotations": {FORCE_DETACH: "true"}}})


def what_detaching_means(resource: Resource) -> str:
    """For a person who has to agree. Raises `CannotDo` for an object that holds nothing in Coder."""
    if not resource.external_id and not resource.finalizers:
        raise CannotDo(f"{resource.key} stands for nothing in Coder", "`kubectl delete` is enough")
    stays = f"{resource.external_id} stays in Coder" if resource.external_id else "what it may have made stays in Coder"
    when = "now, for it is being deleted" if resource.deleting else "when it is deleted, which it is not yet"
    return f"{resource.key}: {stays}, and nothing manages it any more. It takes effect {when}."


async def _patch(client: KubernetesClient, kinds: Kinds, key: Key, change: Mapping[str, Any]) -> None:
    await client.patch(custom(kinds.path_of(key)), key.namespace, key.name, change)
