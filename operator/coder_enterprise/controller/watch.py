"""How the watch of one kind is: when it last gave a sign of life, and what is wrong with it.

Written by what the requests of its source tell (`controller.watch_session`) and by who keeps the source running
(`controller.watches`); read for readiness, liveness and metrics. It asks nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog
from typing_extensions import override

from coder_enterprise.client.clock import now
from coder_enterprise.cluster.paths import Collection

NOT_YET: Final = "not listed yet"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WatchTimes:
    """In seconds."""

    inactivity: float = 100.0
    """A stream on which nothing came for so long is asked for anew. API servers send a bookmark every 60 to 75."""
    pace: float = 1.0
    """Between two requests for the same stream: Kopf asks again at once for one that ended at once."""
    silence: float = 180.0
    """Without a sign of life for so long, the source is replaced: it lists again."""
    blind: float = 240.0
    """Without a sign of life for so long, the replica is not ready: longer than replacing a silent source takes."""
    stuck: float = 300.0
    """With neither a sign of life nor a request for so long, the process is not alive."""
    retry_min: float = 0.5
    retry_max: float = 15.0
    """Between two sources of one kind."""
    retry_after_max: float = 10.0
    """A longer Retry-After is not believed."""
    exit: float = 5.0
    """A source must end within that."""


class Watch:
    """Of one kind, in one namespace or (None) in all."""

    def __init__(self, collection: Collection, namespace: str | None, selector: str = "") -> None:
        self.collection = collection
        self.namespace = namespace
        self.selector = selector
        self.heard_at = self.asked_at = now()
        self.trouble = NOT_YET
        """Why it sees nothing, in words for people; "" while the API server serves it."""
        self._blind_since = now()

    @override
    def __str__(self) -> str:
        return f"{self.collection.resource}{f' in {self.namespace}' if self.namespace else ''}"

    @property
    def age(self) -> float:
        """Seconds since the last sign of life: an event, a bookmark, or a page of a list."""
        return now() - self.heard_at

    @property
    def idle(self) -> float:
        """Seconds since it last gave a sign of life or was asked for one."""
        return now() - max(self.heard_at, self.asked_at)

    def asked(self) -> None:
        """A request went out, or somebody decided to wait before the next one."""
        self.asked_at = now()

    def heard(self) -> None:
        self.heard_at = now()

    def served(self) -> None:
        """The API server took the watch."""
        if self.trouble and self.trouble is not NOT_YET:
            log.info("watched again", watch=str(self), blind_seconds=round(now() - self._blind_since, 1))
        self.trouble = ""

    def troubled(self, why: str) -> None:
        """It is not served now. Each new cause is told once."""
        if not self.trouble:
            self._blind_since = now()
        if why != self.trouble:
            log.warning("not watched", watch=str(self), cause=why)
        self.trouble = why
