"""What an object waits for and what waits for it, as boxes and lines with their places. Used by the page of an object,
whose template draws it.

Columns from left to right: what it needs, the furthest first; the object; who needs it. A box that the viewer may not
see has the name that a spec gives it, and nothing more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlencode

from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.machinery.texts import clipped
from coder_enterprise.page.rows import Group, State, row
from coder_enterprise.page.sight import Sight


class Box(NamedTuple):
    width: int
    height: int


BOX: Final = Box(216, 46)
GAP: Final = 64
"""Between two columns."""
SPACE: Final = 14
"""Between two boxes of a column."""
MARGIN: Final = 4
LONGEST: Final = 24
"""Characters that a box has room for."""
MOST: Final = 8
"""Boxes of a column."""
DEPTH: Final = 4

SECRET: Final = "Secret"  # noqa: S105
CODER: Final = "Coder"


@dataclass(eq=False)
class Node:
    title: str
    """Its kind, or what else it is."""
    name: str
    state: str = ""
    """One of `State`, "missing" for what is not there, "" where nobody knows."""
    key: Key | None = None
    """Of an object that can be looked at."""
    url: str = ""
    """Of a list, for a box that stands for several objects."""
    main: bool = False
    needs: list[Node] = field(default_factory=list)
    column: int = 0
    x: int = 0
    y: int = 0

    @property
    def label(self) -> str:
        return clipped(self.name, LONGEST)


@dataclass(frozen=True)
class Line:
    """From what is needed to who needs it."""

    start: tuple[int, int]
    end: tuple[int, int]
    broken: bool
    """What is needed is not ready."""

    @property
    def path(self) -> str:
        (x, y), (to_x, to_y) = self.start, self.end
        middle = (x + to_x) // 2
        return f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"


@dataclass(frozen=True)
class Graph:
    nodes: Sequence[Node]
    lines: Sequence[Line]
    width: int
    height: int
    box: Box = BOX


def draw(view: View, see: Sight, tally: Mapping[Group, int], resource: Resource) -> Graph:
    """`tally` are the objects of all deployments, counted."""
    needed = _Needs(view, see)
    main = needed.of(resource, 0)
    main.main = True
    columns = _columns(main)
    after = _after(view, see, tally, resource, main)
    if after:
        columns.append(after)
    return _place(columns)


class _Needs:
    """Collects what is needed, each once."""

    def __init__(self, view: View, see: Sight) -> None:
        self._view = view
        self._see = see
        self._known: dict[tuple[str, str, str], Node] = {}

    def of(self, resource: Resource, depth: int) -> Node:
        node = self._known[resource.key] = _node(self._view, resource)
        view = self._view
        references = [self._object(key, depth + 1) for key in view.waits_for(resource)[: MOST + 1]]
        if len(references) > MOST:
            references[MOST:] = [Node(f"{len(view.waits_for(resource)) - MOST} more", "")]
        secrets = [self._other(SECRET, resource.key.namespace, name) for name in view.secrets(resource)[:MOST]]
        node.needs = [*references, *secrets, *self._beyond(resource, references, depth)]
        return node

    def _beyond(self, resource: Resource, references: Iterable[Node], depth: int) -> Iterator[Node]:
        """Its CoderDeployment, unless it is drawn before it by way of another; of that, Coder itself."""
        deployment = self._view.deployment_of(resource)
        if deployment == resource.key:
            yield self._other(CODER, "", str(resource.spec.get("url") or "").removeprefix("https://"))
        elif not any(need.key == deployment for reference in references for need in reference.needs):
            yield self._object(deployment, depth + 1)

    def _object(self, key: Key, depth: int) -> Node:
        if key in self._known:
            return self._known[key]
        found = self._view.get(key) if self._see.sees(key) else None
        if found is not None and depth < DEPTH:
            return self.of(found, depth)
        node = self._known[key] = Node(key.kind, key.namespaced_name)
        if found is None and self._see.sees(key):
            node.state = "missing"
        return node

    def _other(self, title: str, namespace: str, name: str) -> Node:
        return self._known.setdefault((title, namespace, name), Node(title, name))


def _node(view: View, resource: Resource) -> Node:
    key = resource.key
    return Node(key.kind, key.namespaced_name, row(resource, "").state, key)


def _columns(main: Node) -> list[list[Node]]:
    """Each as far from the object as the longest way to it, so that all lines lead to the right."""
    far: dict[Node, int] = {}

    def visit(node: Node, distance: int, way: tuple[Node, ...]) -> None:
        if node in way:
            return
        far[node] = max(far.get(node, 0), distance)
        for need in node.needs:
            visit(need, distance + 1, (*way, node))

    visit(main, 0, ())
    last = max(far.values())
    return [[node for node, distance in far.items() if distance == last - column] for column in range(last + 1)]


def _after(view: View, see: Sight, tally: Mapping[Group, int], resource: Resource, main: Node) -> list[Node]:
    """Who needs it; of a CoderDeployment by kind, for there are many."""
    if view.is_deployment(resource.key):
        found = _by_kind(view, see, tally, resource.key)
    else:
        keys = [key for key in view.waited_for_by(resource.key) if see.sees(key)]
        resources = [other for key in keys[:MOST] if (other := view.get(key))]
        found = [_node(view, each) for each in resources]
        if len(keys) > MOST:
            found.append(Node(f"{len(keys) - MOST} more", ""))
    for node in found:
        node.needs = [main]
    return found


def _by_kind(view: View, see: Sight, tally: Mapping[Group, int], deployment: Key) -> list[Node]:
    place = deployment.namespaced_name
    ready, total = Counter[str](), Counter[str]()
    for group, count in tally.items():
        if group.deployment == place and group.kind != deployment.kind and see.shows(group.kind, group.namespace):
            total[group.kind] += count
            ready[group.kind] += count if group.state is State.READY else 0
    return [
        Node(
            kind,
            f"{ready[kind]} of {total[kind]} ready",
            State.READY if ready[kind] == total[kind] else State.WAITING,
            url=f"/objects?{urlencode({'kind': kind, 'deployment': place})}",
        )
        for kind in (names.kind for names in view.kinds)
        if total[kind]
    ]


def _place(columns: Sequence[Sequence[Node]]) -> Graph:
    height = max(len(column) for column in columns) * (BOX.height + SPACE) - SPACE
    for number, column in enumerate(columns):
        top = (height - (len(column) * (BOX.height + SPACE) - SPACE)) // 2
        for place, node in enumerate(column):
            node.x = MARGIN + number * (BOX.width + GAP)
            node.y = MARGIN + top + place * (BOX.height + SPACE)
    nodes = [node for column in columns for node in column]
    shown = set(nodes)
    lines = [_line(need, node) for node in nodes for need in node.needs if need in shown and need.x < node.x]
    width = len(columns) * (BOX.width + GAP) - GAP
    return Graph(nodes, lines, width + 2 * MARGIN, height + 2 * MARGIN)


def _line(need: Node, node: Node) -> Line:
    start, end = (need.x + BOX.width, need.y + BOX.height // 2), (node.x, node.y + BOX.height // 2)
    return Line(start, end, need.state not in {"", State.READY})
