"""In which namespaces there are objects of a kind: those that are asked about, one by one, for who may not list all."""

from __future__ import annotations

from collections import defaultdict

from coder_enterprise.controller.view import View
from coder_enterprise.page.kept import Kept

Found = dict[str, set[str]]
"""By plural."""


class Namespaces:
    def __init__(self, view: View) -> None:
        self._view = view
        self._plurals = {names.kind: names.plural for names in view.kinds}
        self._found = Kept(view, self._find)

    def having(self, plural: str) -> set[str]:
        """Not to be changed."""
        return self._found.value().get(plural, set())

    def _find(self, _: Found | None) -> Found:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for resource in self._view.objects():
            found[self._plurals[resource.key.kind]].add(resource.key.namespace)
        return dict(found)
