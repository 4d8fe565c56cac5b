"""How many objects each CoderDeployment has, and how they stand: counted along with each change of the store.

Kept by the engine, and asked for the metrics and for the status of CoderDeployments: to count a hundred thousand
objects anew each time would hold up everything else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping

from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource

Standing = tuple[str, str, str]
"""What objects have in common that are counted together: their kind, and status and reason of their condition Ready."""


class Tally:
    def __init__(self, deployment_of: Callable[[Resource], Key]) -> None:
        """`deployment_of` is itself for a CoderDeployment, which is counted with its objects."""
        self._deployment_of = deployment_of
        self._counts: defaultdict[Key, Counter[Standing]] = defaultdict(Counter)

    def note(self, before: Resource | None, after: Resource | None) -> None:
        """A change, as the store tells it."""
        if before is not None:
            self._add(before, -1)
        if after is not None:
            self._add(after, 1)

    def of(self, deployments: Collection[Key]) -> Mapping[Standing, int]:
        """The objects of these together."""
        counts: Counter[Standing] = Counter()
        for deployment in deployments:
            counts.update(self._counts.get(deployment, {}))
        return counts

    def managed(self, deployment: Key) -> dict[str, int]:
        """Those that refer to it: how many there are, and how many of them are Ready."""
        counted = self._counts.get(deployment, Counter())
        managed = [(ready, count) for (kind, ready, _), count in counted.items() if kind != deployment.kind]
        return {
            "total": sum(count for _, count in managed),
            "ready": sum(count for ready, count in managed if ready == "True"),
        }

    def _add(self, resource: Resource, difference: int) -> None:
        deployment = self._deployment_of(resource)
        counts, standing = self._counts[deployment], _standing(resource)
        counts[standing] += difference
        if not counts[standing]:
            del counts[standing]
        if not counts:
            del self._counts[deployment]


def _standing(resource: Resource) -> Standing:
    ready = resource.condition("Ready") or {}
    return resource.key.kind, ready.get("status", "Unknown"), ready.get("reason", Reason.PENDING)
