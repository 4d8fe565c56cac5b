"""What the operator has done lately that other objects may find in Coder: so that it is not taken for anybody's drift.

Fed and asked by `controller.notes`. It counts its own acts; an act can explain a change of an object only when that
object was compared last before it. Bounded: what was forgotten explains nothing. One that ended while this process was
not there, only the kinds can tell, from status.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, NamedTuple

from coder_enterprise.kinds.machinery.resource import Key

MAX_ACTS: Final = 2000


class _Act(NamedTuple):
    number: int
    key: Key
    """The object that it was done for."""


class OwnWork:
    def __init__(self) -> None:
        self._count = 0
        self._acts: dict[Hashable, _Act] = {}
        """By what it is about, which is an id in Coder or a CoderDeployment; the oldest first."""
        self._compared: dict[str, int] = {}
        """How many acts there were when objects, by uid, were compared last."""

    @property
    def moment(self) -> int:
        """For `compared`: take it before the look."""
        return self._count

    def done(self, about: Hashable, key: Key) -> None:
        self._count += 1
        self._acts.pop(about, None)
        self._acts[about] = _Act(self._count, key)
        if len(self._acts) > MAX_ACTS:
            del self._acts[next(iter(self._acts))]

    def compared(self, uid: str, moment: int) -> None:
        """The object is as it shall be, as of that moment."""
        self._compared[uid] = moment

    def forget(self, uid: str) -> None:
        self._compared.pop(uid, None)

    def since_compared(self, uid: str, about: Hashable) -> Key | None:
        """For which object something was done about it, since that other one was compared."""
        act = self._acts.get(about)
        return act.key if act is not None and act.number > self._compared.get(uid, -1) else None
