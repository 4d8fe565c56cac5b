"""Plans what applying manifests would do: the operator's own `observe` and `plan`, once for each object.

Called by the commands. Reads Coder and writes nothing. Objects that refer to others are planned after them, so that
what those have in Coder is known; a server that does not answer is asked once, not once for each object.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagementPolicy
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.planner.beside import BesideManifests
from coder_enterprise.planner.comparing import Look, look
from coder_enterprise.planner.faults import Fault
from coder_enterprise.planner.items import Item, Live, items_of, unresolved
from coder_enterprise.planner.manifests import Manifests
from coder_enterprise.planner.plans import Plan, Step, Verb
from coder_enterprise.planner.servers import Access, Server, get_to_know, open_server

AT_ONCE: Final = 16
"""Objects that are looked at at the same time."""


def silent(done: int, of: int) -> None:
    """Progress that nobody is told."""


@dataclass
class Planner:
    """One plan of these manifests."""

    manifests: Manifests
    access: Access
    live: Live | None = None
    """What a cluster has of our kinds; None without one, and then nobody knows what in Coder the objects have made."""
    gone: Sequence[Step] = ()
    """For objects that are no longer declared."""
    progress: Callable[[int, int], None] = silent
    """Told how many objects are planned, of how many."""
    _objects: dict[Key, Resource] = field(default_factory=dict)
    _servers: dict[Key, Server | OperatorError] = field(default_factory=dict)

    async def plan(self) -> Plan:
        """Everything that would happen. Errors of servers are steps of the plan."""
        items, faults = items_of(self.manifests, self.live)
        async with self.opened(items):
            await self.visit(items, self.plan_one)
        refuse_rivals(list(items.values()))
        _promise(list(items.values()))
        return self._finished(items, faults)

    def offline(self) -> Plan:
        """What is known without any server: schemas, rules, references and conflicts."""
        items, faults = items_of(self.manifests, self.live)
        for item in items.values():
            item.identity = f"{item.kind.external_name(item.resource, item.spec)}@{_organization(item.spec)}"
            missing = unresolved(item, items)
            item.step = item.stopped(Verb.UNCHANGED, Reason.UNKNOWN, "not compared with Coder")
            if missing:
                item.step = item.stopped(Verb.REFUSE, Reason.INVALID_REFERENCE, f"{missing} is not among the manifests")
        refuse_rivals(list(items.values()))
        return self._finished(items, faults)

    def _finished(self, items: Mapping[Key, Item], faults: Sequence[Fault]) -> Plan:
        steps = [replace(item.step, retained=item.retained) for item in items.values() if item.step is not None]
        urls = {key: server.url for key, server in self._servers.items() if isinstance(server, Server)}
        return Plan(sorted([*steps, *self.gone], key=lambda step: step.key), faults, self._notes(), urls)

    def _notes(self) -> list[str]:
        notes = [f"{step.key}: {step.message}" for step in self.gone if step.verb is Verb.UNCHANGED]
        for key, server in sorted(self._servers.items()):
            if isinstance(server, Server) and server.unseen:
                rights = ", ".join(map(str, server.unseen))
                notes.append(f"{key}: the token may not {rights}: what exists may be told as something to create")
        if not (self.manifests.objects or self.manifests.faults):
            notes.append("nothing of this operator is among the manifests")
        ignored = self.manifests.ignored
        if ignored:
            told = ", ".join(f"{count} {kind}" for kind, count in sorted(ignored.items()))
            notes.append(f"left alone, because they are not of this operator: {told}")
        return notes

    # Servers

    @asynccontextmanager
    async def opened(self, items: Mapping[Key, Item]) -> AsyncIterator[None]:
        """With a connection to each server that the objects need, as far as there is a way."""
        self._objects.update({item.resource.key: item.resource for item in items.values()})
        try:
            await asyncio.gather(*(self._open(key, kinds) for key, kinds in _kinds(items).items()))
            yield
        finally:
            for server in self._servers.values():
                if isinstance(server, Server):
                    await server.context.client.close()

    async def _open(self, key: Key, kinds: Sequence[ManagedKind[Any, Any]]) -> None:
        try:
            server = open_server(
                key, self.manifests, self.access, BesideManifests(self._objects, self.manifests.secrets)
            )
        except OperatorError as error:
            self._servers[key] = error
            return
        try:
            await get_to_know(server, kinds)
        except BaseException as error:
            await server.context.client.close()
            if not isinstance(error, OperatorError):
                raise
            self._servers[key] = error
        else:
            self._servers[key] = server

    def server(self, item: Item) -> Server:
        """Raises `OperatorError` for one that cannot be asked."""
        server = self._servers[item.deployment]
        if isinstance(server, OperatorError):
            raise server
        return server

    # Objects

    async def visit(
        self,
        items: Mapping[Key, Item],
        work: Callable[[Item], Awaitable[None]],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Each object, after those that it refers to; several at once."""
        tell = progress or self.progress
        limit = asyncio.Semaphore(AT_ONCE)
        done = 0

        async def one(item: Item) -> None:
            nonlocal done
            async with limit:
                await work(item)
            done += 1
            tell(done, len(items))

        left = dict(items)
        while left:
            ready = [item for item in left.values() if not _waits(item, left)] or list(left.values())
            for item in ready:
                del left[item.resource.key]
            await asyncio.gather(*map(one, ready))

    async def plan_one(self, item: Item) -> None:
        """Work for `visit`: what would happen to the object, as its step."""
        item.step = (await self.look(item)).step
        if item.step.external_id:
            self.remember(item, {"id": item.step.external_id})

    async def look(self, item: Item, *, fresh: bool = False) -> Look:
        try:
            server = self.server(item)
        except OperatorError as error:
            verb = Verb.WAIT if error.meaning is Meaning.WAITING else Verb.FAIL
            return Look(item.stopped(verb, error.reason, error.message))
        return await look(item, server, self.manifests.namespaces, live=self.live is not None, fresh=fresh)

    def remember(self, item: Item, fields: Mapping[str, object]) -> None:
        """What is known of it now, for those that refer to it."""
        known = {**item.resource.status, **fields}
        self._objects[item.resource.key] = replace(item.resource, status=known)


def _waits(item: Item, left: Mapping[Key, Item]) -> bool:
    return any(key in left for key in item.kind.references(item.resource, item.spec))


def _kinds(items: Mapping[Key, Item]) -> dict[Key, list[ManagedKind[Any, Any]]]:
    """Of the objects of each deployment."""
    found: defaultdict[Key, list[ManagedKind[Any, Any]]] = defaultdict(list)
    for item in items.values():
        if item.kind not in found[item.deployment]:
            found[item.deployment].append(item.kind)
    return found


def _organization(spec: ManagedSpec) -> str:
    return str(getattr(spec, "organization", None) or "")


def refuse_rivals(items: Iterable[Item]) -> None:
    """Two objects that claim one thing: neither is older than the other here, so that a person must choose."""
    claims: defaultdict[tuple[str, Key, str], list[Item]] = defaultdict(list)
    for item in items:
        if item.identity and item.spec.management_policy is ManagementPolicy.ENFORCE:
            claims[item.resource.key.kind, item.deployment, item.identity].append(item)
    for rivals in claims.values():
        for item in rivals:
            others = [f"{other.resource.key} ({other.origin})" for other in rivals if other is not item]
            if others:
                message = f"claims the same thing in Coder as {', '.join(others)}; remove one of them"
                item.step = item.stopped(Verb.REFUSE, Reason.CONFLICT, message)


def _promise(items: Sequence[Item]) -> None:
    """Whom an object waits for, another one may be about to make."""
    made = {
        (item.deployment, name): item.resource.key
        for item in items
        if item.step is not None and item.step.verb is Verb.CREATE
        for name in item.kind.known_as(item.resource, item.spec)
    }
    for item in items:
        if item.step is not None and item.step.pending:
            makers = {name: made.get((item.deployment, name.lower())) for name in item.step.pending}
            promised = {name: key for name, key in makers.items() if key is not None}
            item.step = replace(item.step, promised=promised)
