"""The journal: what the operator changed in Coder, from what to what, and why. In memory, and as lines of the log.

Written by `controller.notes`, once for each visit that changed something; read by the page. Bounded by number and by
size, whatever texts Coder sends; a process begins with an empty one, and the log has what was before. Changes are those
of plans, which hold no secrets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from sys import getsizeof
from typing import Any, Final, NamedTuple

import structlog

from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.kinds.machinery.texts import clipped, clipped_value

MAX_ENTRIES: Final = 2000
MAX_SIZE: Final = 1_500_000
"""Bytes that all entries may take together; the oldest go first."""
MAX_CHANGES: Final = 20
"""Of one entry; how many more there were is counted."""
MAX_TEXT: Final = 200
_BASE: Final = 400
"""Bytes of an entry without its texts."""

log = structlog.get_logger(__name__)


class Altered(NamedTuple):
    """One difference that was removed; None is nothing."""

    path: str
    """The field of spec."""
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    number: int
    """From 1 on, in the order in which things were done."""
    at: datetime
    key: Key
    deployment: Key
    cause: Cause
    changes: tuple[Altered, ...]
    more: int = 0
    """Changes beyond those."""
    because: Key | None = None
    """The other object that it follows from."""
    note: str = ""
    """What was done, where the changes do not say it."""
    who: str = ""
    """Whose drift it was, as Coder's audit log has it; "" while or where that is not known."""


OnEntry = Callable[[Entry], None]


class Journal:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._last = 0
        self._subscribers: list[OnEntry] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def last(self) -> int:
        """The number of the newest entry; 0 for none."""
        return self._last

    def write(
        self,
        key: Key,
        deployment: Key,
        cause: Cause,
        changes: Sequence[Change],
        *,
        because: Key | None = None,
        note: str = "",
    ) -> Entry:
        self._last += 1
        entry = Entry(
            number=self._last,
            at=datetime.now(UTC),
            key=key,
            deployment=deployment,
            cause=cause,
            changes=tuple(_altered(change) for change in changes[:MAX_CHANGES]),
            more=max(0, len(changes) - MAX_CHANGES),
            because=because,
            note=clipped(note, MAX_TEXT),
        )
        self._entries.append(entry)
        self._size += _size(entry)
        while len(self._entries) > MAX_ENTRIES or self._size > MAX_SIZE:
            self._size -= _size(self._entries.popleft())
        log.info("changed in Coder", **_line(entry))
        self._tell(entry)
        return entry

    def attribute(self, number: int, who: str) -> None:
        """Coder's audit log says who was the cause of that entry."""
        first = self._last - len(self._entries) + 1
        if not who or not first <= number <= self._last:
            return
        entry = self._entries[number - first]
        self._size -= _size(entry)
        entry = self._entries[number - first] = replace(entry, who=clipped(who, MAX_TEXT))
        self._size += _size(entry)
        log.info("drift was made by", entry=number, object=str(entry.key), who=entry.who)
        self._tell(entry)

    def entries(self, key: Key | None = None, deployment: Key | None = None, since: int = 0) -> Iterator[Entry]:
        """The newest first: of that object, of that deployment, and with a greater number than `since`."""
        for entry in reversed(self._entries):
            if entry.number <= since:
                return
            if key in {None, entry.key} and deployment in {None, entry.deployment}:
                yield entry

    def subscribe(self, callback: OnEntry) -> Callable[[], None]:
        """`callback` is told each new entry, and each of which something more is known, at once; it must be quick and
        raise nothing. What is returned ends that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def _tell(self, entry: Entry) -> None:
        for callback in tuple(self._subscribers):
            callback(entry)


def _altered(change: Change) -> Altered:
    before, after = (clipped_value(value, MAX_TEXT) for value in (change.before, change.after))
    return Altered(clipped(change.path, MAX_TEXT), before, after)


def _size(entry: Entry) -> int:
    texts = (text for altered in entry.changes for text in altered if text is not None)
    return _BASE + 80 * len(entry.changes) + sum(map(getsizeof, texts)) + getsizeof(entry.note) + getsizeof(entry.who)


def _line(entry: Entry) -> dict[str, Any]:
    """Of the log: what is empty is left out."""
    fields = {
        "entry": entry.number,
        "object": str(entry.key),
        "deployment": entry.deployment.namespaced_name,
        "cause": entry.cause.value,
        "changes": [{"path": path, "from": before, "to": after} for path, before, after in entry.changes],
        "more": entry.more,
        "because": str(entry.because) if entry.because else "",
        "note": entry.note,
    }
    return {name: value for name, value in fields.items() if value}
