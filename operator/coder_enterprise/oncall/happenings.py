"""Events about objects of our kinds, the oldest first. Kubernetes keeps them for an hour unless told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from coder_enterprise.cluster import watching
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.marks import REPORTER
from coder_enterprise.cluster.paths import EVENTS
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.oncall.standing import moment

_FIRST: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Happening:
    key: Key
    warns: bool
    reason: str
    note: str
    at: datetime
    """When it was seen last."""
    count: int

    def document(self) -> dict[str, Any]:
        """As `--output json` prints it."""
        return {
            "regarding": self.key._asdict(),
            "type": "Warning" if self.warns else "Normal",
            "reason": self.reason,
            "note": self.note,
            "at": self.at.isoformat(),
            "count": self.count,
        }


async def past(client: KubernetesClient, namespace: str | None, key: Key | None = None) -> list[Happening]:
    """In that namespace or in all, or about that object. Raises `KubernetesError`."""
    bodies, _ = await client.listing(EVENTS, namespace, _selector(key))
    return _sorted(bodies)


async def follow(
    client: KubernetesClient, namespace: str | None, key: Key | None = None
) -> AsyncIterator[list[Happening]]:
    """The same, and then each that comes, for ever."""
    shown: set[tuple[Key, str, str, datetime]] = set()
    async for seen in watching.follow(client, EVENTS, namespace, _selector(key)):
        bodies: Iterable[dict[str, Any]] = ()
        if isinstance(seen, watching.Listed):
            bodies = seen.objects
        elif seen.type != "DELETED":
            bodies = (seen.object,)
        fresh = [each for each in _sorted(bodies) if _identity(each) not in shown]
        shown.update(map(_identity, fresh))
        yield fresh


def _identity(each: Happening) -> tuple[Key, str, str, datetime]:
    return (each.key, each.reason, each.note, each.at)


def _selector(key: Key | None) -> str:
    about = [f"regarding.kind={key.kind}", f"regarding.name={key.name}"] if key else []
    return ",".join([f"reportingController={REPORTER}", *about])


def _sorted(bodies: Iterable[Mapping[str, Any]]) -> list[Happening]:
    return sorted(map(_happening, bodies), key=lambda each: each.at)


def _happening(body: Mapping[str, Any]) -> Happening:
    about, series = body.get("regarding") or {}, body.get("series") or {}
    at = moment(series.get("lastObservedTime")) or moment(body.get("eventTime"))
    return Happening(
        key=Key(about.get("kind", ""), about.get("namespace", ""), about.get("name", "")),
        warns=body.get("type") == "Warning",
        reason=body.get("reason") or "",
        note=body.get("note") or "",
        at=at or _FIRST,
        count=series.get("count") or 1,
    )
