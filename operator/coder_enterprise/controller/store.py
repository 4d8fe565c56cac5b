"""The operator's memory of the cluster: the newest known version of each object, and who refers to what.

Filled by the watch and by answers to our own writes, read by everything else. It decides which of two versions
is newer, and tells of each change once, whichever of the two brought it; it does not decide what a change means.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final

from coder_enterprise.kinds.resource import Key, Resource

TOMBSTONES: Final = 4096


OnChange = Callable[[Resource | None, Resource | None], None]
"""Called with the version before (None: new) and after (None: gone)."""


class Store:
    """Objects by key, and by whatever `index` says of them."""

    def __init__(self, index: Callable[[Resource], Iterable[Hashable]], on_change: OnChange) -> None:
        self._index = index
        self._on_change = on_change
        self._objects: dict[Key, Resource] = {}
        self._terms: dict[Key, tuple[Hashable, ...]] = {}
        self._members: dict[Hashable, set[Key]] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._objects.values()))

    def get(self, key: Key) -> Resource | None:
        return self._objects.get(key)

    def put(self, resource: Resource) -> bool:
        """Keep `resource` unless a newer version is known; True when it was kept.

        An answer to our own write may arrive after the event that the object is gone, so versions of
        a deleted object are ignored, and an object on its way out without finalizers counts as gone.
        """
        known = self._objects.get(resource.key)
        if resource.uid in self._gone or (known and not _is_newer(resource, known)):
            return False
        if known and known.uid != resource.uid:
            self.remove(known.key, known.uid)  # its deletion was not seen
            known = None
        if resource.deleting and not resource.finalizers:
            if known:
                self._objects[resource.key] = resource  # what is told of it is how it was last
            self.remove(resource.key, resource.uid)
            return True
        self._objects[resource.key] = resource
        self._reindex(resource.key, tuple(dict.fromkeys(self._index(resource))))
        self._on_change(known, resource)
        return True

    def remove(self, key: Key, uid: str) -> Resource | None:
        """Forget the object of that key and uid; a successor of the same name stays."""
        self._gone[uid] = None
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
        known = self._objects.get(key)
        if known is None or known.uid != uid:
            return None
        del self._objects[key]
        self._reindex(key, ())
        self._on_change(known, None)
        return known

    def is_gone(self, uid: str) -> bool:
        """Whether the object of that uid was here, lately, and went."""
        return uid in self._gone

    def has(self, term: Hashable) -> bool:
        """Whether the index files any object under `term`."""
        return term in self._members

    def find(self, term: Hashable) -> tuple[Key, ...]:
        """Keys of all objects that the index files under `term`, in a stable order."""
        return tuple(sorted(self._members.get(term, ())))

    def _reindex(self, key: Key, terms: tuple[Hashable, ...]) -> None:
        for term in self._terms.pop(key, ()):
            members = self._members[term]
            members.discard(key)
            if not members:
                del self._members[term]
        if terms:
            self._terms[key] = terms
        for term in terms:
            self._members.setdefault(term, set()).add(key)


def _is_newer(candidate: Resource, known: Resource) -> bool:
    """Resource versions of one collection compare as numbers."""
    return int(candidate.resource_version) > int(known.resource_version)
