"""From one object to all that it waits for: objects that it refers to, its CoderDeployment, Secrets, and Coder itself.

Called by `coder-enterprise status KIND/NAME`. Each section stands for itself: what cannot be read is said there, and
the walk goes on. What refers to what, the kinds say, as they do to the operator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.sendable import is_sendable
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
from coder_enterprise.oncall import happenings, objects
from coder_enterprise.oncall.errors import CannotDo
from coder_enterprise.oncall.happenings import Happening
from coder_enterprise.oncall.objects import Kinds
from coder_enterprise.oncall.standing import Standing, standing

CODER: Final = "Coder"
SECRET: Final = "Secret"  # noqa: S105
MAX_EVENTS: Final = 5
_MANAGED: Final = {kind.names.kind: kind for kind in MANAGED_KINDS}


@dataclass(frozen=True)
class Section:
    key: Key
    """Of `Coder` itself, the name is its URL."""
    trouble: str = ""
    """Why nothing is known of it."""
    facts: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Standing, ...] = ()
    pending: tuple[str, ...] = ()
    """What differs from Coder and is not applied."""
    events: tuple[Happening, ...] = ()
    """The newest."""
    resource: Resource | None = field(default=None, repr=False)

    @property
    def advice(self) -> str:
        """What to do about it; "" when nothing is."""
        unwell = [each for each in self.conditions if each.type == "Ready" and not each.ready]
        return unwell[0].advice if unwell else ""


async def walk(client: KubernetesClient, kinds: Kinds, key: Key) -> AsyncIterator[Section]:
    """The object first. Raises `CannotDo` when that is not there, and `KubernetesError` when it cannot be read."""
    start = await objects.get(client, kinds, key)
    yield await _describe(client, start)
    for other in _references(start):
        yield await _section(client, kinds, other)
    connection: Resource | None = start
    if key.kind != CONNECTION_KIND.names.kind:
        section = await _section(client, kinds, Key(CONNECTION_KIND.names.kind, *start.deployment))
        yield section
        connection = section.resource
    for secret in _secrets(start, connection):
        yield await _secret(client, secret)
    if connection is not None:
        yield _coder(connection)


def _references(resource: Resource) -> Sequence[Key]:
    kind = _MANAGED.get(resource.key.kind)
    if kind is None:
        return ()
    try:
        return kind.references(resource, kind.spec_model.model_validate(resource.spec))
    except ValidationError:
        return ()  # its condition says what is wrong


def _secrets(start: Resource, connection: Resource | None) -> Sequence[Key]:
    """Of the object, and of its deployment."""
    found: dict[Key, None] = {}
    for resource in (start, connection):
        if resource is None:
            continue
        for name in _secret_names(resource):
            found[Key(SECRET, resource.key.namespace, name)] = None
    return tuple(found)


def _secret_names(resource: Resource) -> Sequence[str]:
    kind = _MANAGED.get(resource.key.kind)
    try:
        if kind is not None:
            return kind.secrets(resource, kind.spec_model.model_validate(resource.spec))
        spec = CONNECTION_KIND.spec_model.model_validate(resource.spec)
        return tuple(ref.name for ref in CONNECTION_KIND.secrets(spec))
    except ValidationError:
        return ()


async def _section(client: KubernetesClient, kinds: Kinds, key: Key) -> Section:
    try:
        return await _describe(client, await objects.get(client, kinds, key))
    except CannotDo as error:
        return Section(key, trouble=str(error))
    except KubernetesError as error:
        return Section(key, trouble=f"cannot be read: {error}")


async def _describe(client: KubernetesClient, resource: Resource) -> Section:
    try:
        events = await happenings.past(client, resource.key.namespace, resource.key)
        trouble = ""
    except KubernetesError as error:
        events, trouble = [], f"its events cannot be read: {error}"
    return Section(
        key=resource.key,
        trouble=trouble,
        facts=tuple(_facts(resource)),
        conditions=tuple(standing(resource, each["type"]) for each in resource.status.get("conditions") or ()),
        pending=tuple(map(_change, resource.status.get("pendingChanges") or ())),
        events=tuple(events[-MAX_EVENTS:]),
        resource=resource,
    )


def _facts(resource: Resource) -> Sequence[tuple[str, str]]:
    facts = [("id in Coder", resource.external_id)] if resource.external_id else []
    if resource.deleting:
        facts.append(("being deleted", f"held by {', '.join(resource.finalizers) or 'nothing'}"))
    observed = resource.status.get("observedGeneration")
    if observed != resource.generation:
        facts.append(("not seen yet", f"spec is at generation {resource.generation}, status speaks of {observed}"))
    return facts


def _change(change: dict[str, Any]) -> str:
    return f"{change.get('path')}: {change.get('from', 'nothing')} → {change.get('to', 'nothing')}"


async def _secret(client: KubernetesClient, key: Key) -> Section:
    """That it is there, which keys it has, and whether the operator may send it; never what is in it."""
    try:
        secret = await client.secret(key.namespace, key.name)
    except KubernetesError as error:
        return Section(key, trouble=f"cannot be read: {error}")
    if secret is None:
        return Section(key, trouble="is not there")
    facts = {
        "keys": ", ".join(sorted(secret.values)) or "none",
        "for Coder": "marked, so that it may be sent" if is_sendable(secret) else "not marked, so that it is not sent",
        "changes": "noticed at once" if secret.is_watched else "noticed at the next resync",
    }
    return Section(key, facts=tuple(facts.items()))


def _coder(connection: Resource) -> Section:
    """As the operator found it last."""
    status = connection.status
    identity = status.get("identity") or {}
    license_ = status.get("license") or {}
    facts = {
        "version": status.get("version"),
        "wire profile": status.get("wireProfile"),
        "token of": identity.get("username"),
        "with the roles": ", ".join(identity.get("roles") or ()),
        "licence days left": license_.get("daysLeft"),
        "replicas healthy": status.get("replicasHealthy"),
        "proxies healthy": status.get("proxiesHealthy"),
        "circuit": status.get("circuit"),
    }
    known = tuple((name, str(value)) for name, value in facts.items() if value not in (None, ""))
    url = str(connection.spec.get("url", ""))
    return Section(Key(CODER, "", url), facts=known, trouble="" if known else "the operator has not reached it yet")


def document(sections: Sequence[Section]) -> dict[str, Any]:
    """As `--output json` prints it: docs/reference/commands.md describes the shape of this version."""
    return {
        "version": 1,
        "sections": [
            {
                **each.key._asdict(),
                "trouble": each.trouble or None,
                "facts": dict(each.facts),
                "conditions": [one.document() for one in each.conditions],
                "pendingChanges": list(each.pending),
                "advice": each.advice or None,
                "events": [event.document() for event in each.events],
            }
            for each in sections
        ],
    }
