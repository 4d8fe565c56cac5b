"""What Kubernetes says of a person: whose a token is (TokenReview), and what somebody may (SubjectAccessReview).

Asked by the gate and by `reviews`. These two reviews are all that the page asks with the operator's own rights. Answers
hold for some seconds, as those of Kubernetes' own components do, so that who loses a right has lost it here as soon.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import ACCESS_REVIEWS, TOKEN_REVIEWS, Collection
from coder_enterprise.kinds.machinery.resource import GROUP
from coder_enterprise.page.access.identity import Identity
from coder_enterprise.page.access.remembered import Remembered

HOLDS: Final = 10.0
"""Seconds that an answer holds."""
REFUSAL_HOLDS: Final = 20.0
"""Seconds that a refused right stays refused: whoever may little would ask the most."""
TOKENS: Final = 2_000
ANSWERS: Final = 50_000
AT_A_TIME: Final = 16
"""Reviews under way, so that viewers leave the API server to the operator."""
PATIENCE: Final = 10.0
"""Seconds for a review, with the time that it waits for others."""
LONGEST_TOKEN: Final = 8_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Question:
    """May they do that to these objects? A namespace of "" is all of them, a name of "" every object; a plural without
    a group is of our kinds."""

    identity: Identity
    verb: str
    plural: str
    namespace: str
    name: str = ""


class Authority:
    """Close it."""

    def __init__(self, client: KubernetesClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._people = Remembered(self._whose, lambda _: HOLDS, TOKENS, clock)
        self._rights = Remembered(self._may, lambda may: HOLDS if may else REFUSAL_HOLDS, ANSWERS, clock)

    async def whose(self, token: str) -> Identity | None:
        """None for one that Kubernetes does not know, or not any more. Raises `KubernetesError`."""
        if not token or len(token) > LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
            return None
        return await self._people.get(token)

    async def may(self, question: Question) -> bool:
        """Raises `KubernetesError`."""
        return await self._rights.get(question)

    def forget(self, token: str) -> None:
        self._people.forget(token)

    def forget_old(self) -> None:
        """Answers that hold no more, and the tokens that they were about."""
        self._people.forget_old()
        self._rights.forget_old()

    async def close(self) -> None:
        await self._people.close()
        await self._rights.close()

    async def _whose(self, token: str) -> Identity | None:
        status = await self._review(TOKEN_REVIEWS, "TokenReview", {"token": token})
        if status.get("authenticated") is not True:
            return None
        identity = Identity.reviewed(status.get("user") or {})
        return identity if identity.user else None

    async def _may(self, question: Question) -> bool:
        plural, _, group = question.plural.partition(".")
        wanted = {"group": group or GROUP, "resource": plural, "verb": question.verb, "namespace": question.namespace}
        spec = question.identity.asked_for() | {"resourceAttributes": wanted | {"name": question.name}}
        status = await self._review(ACCESS_REVIEWS, "SubjectAccessReview", spec)
        return status.get("allowed") is True and status.get("denied") is not True

    async def _review(self, collection: Collection, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        group, version = collection.group_version
        body = {"apiVersion": f"{group}/{version}", "kind": kind, "spec": spec}
        try:
            async with asyncio.timeout(PATIENCE), self._turns:
                answer = await self._client.create(collection, "", body)
        except TimeoutError:
            raise KubernetesError(0, "Unreachable", "the Kubernetes API does not answer: not in time") from None
        return answer.get("status") or {}
