"""What the operator knows, to be read: all objects, what refers to what, and how each Coder answered last.

Made by the engine, which tells it of each change of the store; read by the page, which has no other way in. It changes
nothing, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from coder_enterprise.client.directory import Directory
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.events import Sent
from coder_enterprise.controller.history import History
from coder_enterprise.controller.index import Index, referring_to, with_id
from coder_enterprise.controller.journal import Journal
from coder_enterprise.controller.queue import Queue
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery.connection import Probe
from coder_enterprise.kinds.machinery.people import Mention
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource

OnChange = Callable[[Key], None]


class View:
    def __init__(
        self,
        kinds: Sequence[Names],
        store: Store,
        index: Index,
        connections: Connections,
        queue: Queue,
        journal: Journal,
        history: History,
        listed: Callable[[], bool] = lambda: True,
        works_for: Callable[[Key], bool] = lambda _: True,
        sent: Callable[[Key], Sequence[Sent]] = lambda _: (),
    ) -> None:
        """`kinds` are all, that of the deployments first; `listed` says whether all objects are known,
        `works_for` whether this replica works for a deployment, `sent` which events it has sent about an object."""
        self.kinds = tuple(kinds)
        self.journal = journal
        """What was changed in Coder, and why."""
        self.history = history
        """How each Coder was over the last hours."""
        self.revision = 0
        """Grows with each change of an object, and of what the journal says of one."""
        self.revisions: dict[tuple[str, str], int] = {}
        """As of the newest change of each kind in each namespace; in "", of those where there is nothing any more."""
        self._store = store
        self._index = index
        self._connections = connections
        self._queue = queue
        self._listed = listed
        self._works_for = works_for
        self._sent = sent
        self._subscribers: list[OnChange] = []
        journal.subscribe(lambda entry: self.tell(entry.key))

    @property
    def listed(self) -> bool:
        """All objects are known, and not only those that a list has brought so far."""
        return self._listed()

    # Objects

    def __len__(self) -> int:
        return len(self._store)

    def objects(self) -> Iterator[Resource]:
        """All, in no order."""
        return iter(self._store)

    def deployments(self) -> list[Resource]:
        """The CoderDeployments, by namespace and name."""
        found = (resource for resource in self._store if self.is_deployment(resource.key))
        return sorted(found, key=lambda resource: resource.key)

    def get(self, key: Key) -> Resource | None:
        return self._store.get(key)

    def sent(self, key: Key) -> Sequence[Sent]:
        """The events that this replica has sent about it since it started, the newest first, as far as it knows."""
        return self._sent(key)

    # What refers to what

    def is_deployment(self, key: Key) -> bool:
        """Whether it is a CoderDeployment."""
        return self._index.is_deployment(key)

    def deployment_of(self, resource: Resource) -> Key:
        """Itself, or the CoderDeployment that it refers to."""
        return self._index.deployment_of(resource)

    def waits_for(self, resource: Resource) -> tuple[Key, ...]:
        """The other objects of our kinds that its spec refers to, there or not; its CoderDeployment is not among
        them."""
        return self._index.references(resource)

    def waited_for_by(self, key: Key) -> tuple[Key, ...]:
        """Who refers to it in the same sense."""
        return self._store.find(referring_to(key))

    def holders(self, external_id: str) -> list[Key]:
        """The objects that have recorded that id of Coder as theirs."""
        return [key for names in self.kinds for key in self._store.find(with_id(names.kind, external_id))]

    def mentions(self, resource: Resource) -> Iterable[Mention]:
        """Where it names people."""
        return self._index.mentions(resource)

    def awaited(self, resource: Resource) -> tuple[str, ...]:
        """For whom or what its status says that it waits, in words that end with a name."""
        return self._index.awaited(resource)

    def secrets(self, resource: Resource) -> tuple[str, ...]:
        """Names of the Secrets in its namespace that it needs, there or not."""
        return self._index.secrets(resource)

    # Coder

    def works_for(self, deployment: Key) -> bool:
        """Whether this replica does: of others', it knows what Kubernetes does, and neither queue nor journal."""
        return self._works_for(deployment)

    def probe(self, deployment: Key) -> Probe | None:
        """What this replica found when it asked last; None for a deployment that another one works for."""
        connection = self._connections.get(deployment)
        return connection.probe if connection else None

    def directory(self, deployment: Key) -> Directory | None:
        """The lists that are shared by all objects of that deployment; None as for `probe`."""
        connection = self._connections.get(deployment)
        return connection.directory if connection else None

    def waiting(self, deployment: Key) -> int | None:
        """How many of its objects are about to be visited, or would be if it answered; None as for `probe`."""
        return self._queue.waiting(deployment) if self.works_for(deployment) else None

    # Changes

    def subscribe(self, callback: OnChange) -> Callable[[], None]:
        """`callback` is told the key of each object of which there is something new, at once, and must be quick and
        raise nothing; what is returned ends that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def tell(self, key: Key) -> None:
        """That object is new, another than before, or gone, or the journal says something new of it."""
        self.revision += 1
        self.revisions[key.kind, key.namespace] = self.revision
        for callback in tuple(self._subscribers):
            callback(key)

    def sweep(self) -> None:
        """Forget the namespaces in which there is nothing any more: only who sees all of a kind saw something go."""
        left = {place for place in self.revisions if place[1]}
        for resource in self._store:
            left.discard((resource.key.kind, resource.key.namespace))
            if not left:
                return
        for kind, namespace in left:
            gone = self.revisions.pop((kind, namespace))
            self.revisions[kind, ""] = max(gone, self.revisions.get((kind, ""), 0))
