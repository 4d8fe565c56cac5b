"""Which objects name somebody, by whatever spec calls them. Asked by the page of people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.people import Mention
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.kept import Kept


class Named(NamedTuple):
    """One place in which one object names somebody."""

    key: Key
    deployment: Key
    mention: Mention


class Mentions:
    def __init__(self, view: View) -> None:
        self._view = view
        self._by_name = Kept(view, self._make)

    def of(self, names: Iterable[str], deployment: Key) -> Sequence[Named]:
        """All who name somebody of one of these names, without regard to case, in that deployment."""
        by_name = self._by_name.value()
        found = {
            (named.key, named.mention.path): named
            for name in names
            for named in by_name.get(name.lower(), ())
            if named.deployment == deployment
        }
        return [found[place] for place in sorted(found)]

    def like(self, text: str, deployment: Key) -> Iterator[Named]:
        """All who name somebody whose name contains that text."""
        lowered = text.lower()
        for name, places in self._by_name.value().items():
            if lowered in name:
                yield from (named for named in places if named.deployment == deployment)

    def _make(self, _: dict[str, list[Named]] | None) -> dict[str, list[Named]]:
        by_name: defaultdict[str, list[Named]] = defaultdict(list)
        for resource in self._view.objects():
            for mention in self._view.mentions(resource):
                named = Named(resource.key, self._view.deployment_of(resource), mention)
                by_name[mention.who.lower()].append(named)
        return dict(by_name)
