"""Which fields of status the CRDs that are installed do not have: those of an older release, before they are upgraded.

Used by `controller.writer`. The API server drops such fields without a word, so that each visit would find them missing
and write them again. They are known from the answers to our own writes, by kind, and sent along with what else is
written: the first answer that has them shows that the CRD is another one now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Pruned:
    def __init__(self) -> None:
        self._paths: dict[str, set[str]] = {}

    def learn(self, kind: str, patch: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """`status` is what the API server has made of `patch`."""
        known, fields = self._paths.get(kind, set()), dict(_fields(patch, status))
        lost = {path for path, is_there in fields.items() if not is_there}
        if lost - known:
            log.warning("the CRD does not have all of status; install the present one", kind=kind, fields=sorted(lost))
        self._paths[kind] = known - fields.keys() | lost

    def covers(self, kind: str, patch: Mapping[str, Any]) -> bool:
        """Nothing of the patch would be kept."""
        return _is_within(self._paths.get(kind, set()), patch)


def _fields(patch: Mapping[str, Any], status: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, bool]]:
    """The path of each that is set, and whether it is there."""
    for name, value in patch.items():
        if value is None:
            continue
        path, found = f"{above}{name}", status.get(name)
        yield path, found is not None
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            yield from _fields(value, found, f"{path}.")


def _is_within(paths: AbstractSet[str], patch: Mapping[str, Any], above: str = "") -> bool:
    return all(
        f"{above}{name}" in paths
        or (isinstance(value, Mapping) and bool(value) and _is_within(paths, value, f"{above}{name}."))
        for name, value in patch.items()
    )
