"""The events of one object, as Kubernetes has them. Used by the page of an object.

Read with the operator's rights, which do not include that where it is installed with the least: then those are shown
that the operator has sent since it started, and it is said how to see all. Fifty people who look at one object are one
question.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.oncall import happenings
from coder_enterprise.oncall.happenings import Happening

FRESH: Final = 2.0
PATIENCE: Final = 3.0
"""Seconds, as that before."""
SHOWN: Final = 30
MAX_KEPT: Final = 64


@dataclass(frozen=True)
class Events:
    found: tuple[Happening, ...] = ()
    """The newest first."""
    trouble: str = ""
    """Why Kubernetes has not listed them."""
    own: bool = False
    """In place of those that Kubernetes has, those that the operator remembers."""


class Happenings:
    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._asked: dict[Key, tuple[float, asyncio.Task[Events]]] = {}

    async def of(self, key: Key) -> Events:
        now = asyncio.get_running_loop().time()
        self._asked = {about: asked for about, asked in self._asked.items() if now - asked[0] < FRESH}
        if key not in self._asked:
            if len(self._asked) >= MAX_KEPT:
                return Events(trouble="too many look at once")
            self._asked[key] = (now, asyncio.create_task(self._read(key)))
        return await asyncio.shield(self._asked[key][1])

    async def _read(self, key: Key) -> Events:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await happenings.past(self._client, key.namespace, key)
        except TimeoutError:
            return Events(trouble="Kubernetes does not answer in time")
        except KubernetesError as error:
            return Events(trouble=str(error))
        return Events(tuple(reversed(found[-SHOWN:])))


def remembered(view: View, key: Key, trouble: str) -> Events:
    """In place of those that Kubernetes does not list."""
    found = (Happening(key, *each) for each in view.sent(key)[:SHOWN])
    return Events(tuple(found), trouble, own=True)
