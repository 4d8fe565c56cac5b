"""Sessions that browsers have in place of a bearer token: in the memory of this process, few, and short.

Made by the page for signing in, found by the gate at each request. The token stays here: the browser gets a name for it
that says nothing, and is worth nothing to another process. A session lives no longer than its token, which the gate has
Kubernetes review.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from coder_enterprise.page.access.identity import Identity

IDLE: Final = 3_600.0
"""Seconds without a request after which a session is over."""
LONGEST: Final = 12 * 3_600.0
"""Seconds after which it is over in any case."""
MOST: Final = 1_000
MOST_OF_ONE: Final = 10
"""Sessions that one person may have: the oldest goes."""


@dataclass(eq=False, slots=True)
class Session:
    identity: Identity
    token: str = field(repr=False)
    csrf: str = field(repr=False)
    """What each write must bring along, so that it comes from a page of ours."""
    begun: float
    seen: float


class Sessions:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        """The one that was used the longest time ago first."""

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, identity: Identity, token: str, cookie: str) -> str:
        """The name of a new session: always a new one, whatever the browser has sent, for a cookie of that name."""
        name = f"{cookie}.{secrets.token_urlsafe(32)}"
        now = self._clock()
        self._make_room(identity)
        self._sessions[name] = Session(identity, token, secrets.token_urlsafe(32), now, now)
        return name

    def find(self, name: str) -> Session | None:
        """None when it is over, or never was."""
        session = self._sessions.get(name)
        if session is None:
            return None
        if self._is_over(session):
            self.end(name)
            return None
        session.seen = self._clock()
        self._sessions.move_to_end(name)
        return session

    def end(self, name: str) -> None:
        self._sessions.pop(name, None)

    def forget_over(self) -> None:
        """Those that nobody has come back to, and their tokens."""
        for name in [name for name, session in self._sessions.items() if self._is_over(session)]:
            self.end(name)

    def _is_over(self, session: Session) -> bool:
        now = self._clock()
        return now - session.seen > IDLE or now - session.begun > LONGEST

    def _make_room(self, identity: Identity) -> None:
        own = [name for name, session in self._sessions.items() if session.identity.user == identity.user]
        for name in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
            self.end(name)
        while len(self._sessions) >= MOST:
            self._sessions.popitem(last=False)
