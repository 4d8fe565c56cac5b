"""Which endpoint a request reaches: a tree of path segments, so that a route costs the same however many there are.

Called by `app` with every request. Where several routes have a path, that with a literal segment comes before that with
a parameter, whatever the order they are declared in: /users/login is never a user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute

from coder_enterprise.server.routes.endpoints import Endpoint

WEBSOCKET: Final = "(websocket)"
"""In place of a method: no request can have one like this."""


@dataclass(frozen=True, slots=True)
class Found:
    """The route of a request: logs and metrics call it by the path that was declared."""

    path: str
    endpoint: Endpoint
    path_params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    endpoint: Endpoint
    names: Sequence[tuple[int, str]]
    """Which segments are which parameters."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    entries: dict[str, _Entry] = field(default_factory=dict)
    """By method."""


class RouteTable:
    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self.routes = tuple(routes)
        """All, as they are declared."""
        self._root = _Node()
        for route in self.routes:
            if isinstance(route, APIRoute):
                self._add(route.path, route.methods or (), Endpoint(route.dependant))
            elif isinstance(route, APIWebSocketRoute):
                self._add(route.path, {WEBSOCKET}, Endpoint(route.dependant))
            else:
                raise TypeError(f"{route} is no route that was declared with FastAPI")

    def find(self, method: str, path: str) -> Found | None:
        segments = path.split("/")
        for node in self._nodes(segments):
            if (entry := node.entries.get(method)) is not None:
                return Found(entry.path, entry.endpoint, {name: segments[at] for at, name in entry.names})
        return None

    def methods(self, path: str) -> list[str]:
        """Those that the path has, in order; none where there is no such path."""
        return sorted({method for node in self._nodes(path.split("/")) for method in node.entries} - {WEBSOCKET})

    def _add(self, path: str, methods: Iterable[str], endpoint: Endpoint) -> None:
        node, names = self._root, []
        for at, segment in enumerate(path.split("/")):
            if segment.startswith("{"):
                names.append((at, segment.strip("{}")))
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        for method in methods:
            if method in node.entries:
                raise TypeError(f"two routes for {method} {path}: the other is {node.entries[method].path}")
            node.entries[method] = _Entry(path, endpoint, names)

    def _nodes(self, segments: Sequence[str]) -> list[_Node]:
        """All that the path leads to, literal segments first."""
        nodes = [self._root]
        for segment in segments:
            following: list[_Node] = []
            for node in nodes:
                if (literal := node.literals.get(segment)) is not None:
                    following.append(literal)
                if segment and node.parameter is not None:
                    following.append(node.parameter)
            nodes = following
        return nodes
