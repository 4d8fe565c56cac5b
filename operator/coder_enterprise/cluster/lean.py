"""Keeps out of memory what nobody uses of the Kubernetes library: its synchronous half, and helpers of the other one.

Called when this room is first imported, before the library is. To import any part of it imports all of it, with
requests, websocket and oauth: 8 MiB, and a second on a busy node. So the packages named here come without what they
import, and import each part when it is first asked for. `importlib.util.LazyLoader` would do the same, but `inspect`
looks into all modules that are loaded, and wakes them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from typing_extensions import override

PACKAGES: Final = frozenset({"kubernetes", "kubernetes.aio", "kubernetes.aio.config"})


class _Finder(MetaPathFinder):
    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in PACKAGES else None
        if spec is not None:
            spec.loader = _Parts()
        return spec


class _Parts(Loader):
    """Of a package whose parts are imported when they are asked for."""

    @override
    def exec_module(self, module: ModuleType) -> None:
        def part(name: str) -> Any:
            if name == "__version__":
                return metadata.version("kubernetes")
            try:
                return import_module(f"{module.__name__}.{name}")
            except ModuleNotFoundError:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}") from None

        module.__dict__["__getattr__"] = part


def prepare() -> None:
    """To be called again does nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
