"""What ends a reconcile with a reason of its own: raised by the kinds and by the controller."""

from __future__ import annotations

from collections.abc import Sequence

from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.reasons import Reason


class KindError(OperatorError):
    """A condition that a kind or the controller found: carries its own reason and meaning."""

    def __init__(self, reason: Reason, message: str, *, meaning: Meaning, pending: Sequence[Change] = ()) -> None:
        super().__init__(message)
        self.reason = reason  # type: ignore[misc]
        self.meaning = meaning  # type: ignore[misc]
        self.pending = tuple(pending)


def waiting(reason: Reason, message: str) -> KindError:
    """Something that others provide is not there yet."""
    return KindError(reason, message, meaning=Meaning.WAITING)


def stalled(reason: Reason, message: str, pending: Sequence[Change] = ()) -> KindError:
    """A person must act."""
    return KindError(reason, message, meaning=Meaning.STALLED, pending=pending)
