"""The Secret with the session token that a CoderDeployment refers to.

Called by `coder-enterprise create token-secret`. The token is tried before it is written, and shown nowhere.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted
from coder_enterprise.cluster.paths import SECRETS
from coder_enterprise.kinds.machinery.resource import WATCH_LABEL
from coder_enterprise.oncall.errors import CannotDo

OWNER: Final = "owner"
MAX_NAME: Final = 40
"""Characters, without the moment."""


@dataclass(frozen=True)
class Holder:
    """Whose token it is."""

    username: str
    roles: tuple[str, ...]

    @property
    def is_owner(self) -> bool:
        return OWNER in self.roles


async def try_token(settings: ConnectionSettings) -> Holder:
    """Raises `errors.CoderError` when Coder does not accept it."""
    async with CoderClient(settings) as coder:
        me = await coder.users.me()
    return Holder(me.username, tuple(sorted(me.site_roles)))


@dataclass(frozen=True)
class Place:
    """Where the token goes."""

    namespace: str
    name: str
    """Of the Secret."""
    key: str
    replace: bool = False
    """Also into one that is there."""


async def write(client: KubernetesClient, place: Place, token: str) -> None:
    """Raises `CannotDo` when the Secret is there and is not to be replaced, and `KubernetesError`. Its other keys
    stay."""
    body = _body(place, token)
    if not await _create(client, place, body, trial=False):
        await client.patch(SECRETS, place.namespace, place.name, body)


async def try_place(client: KubernetesClient, place: Place) -> None:
    """Before there is a token: one that can be put nowhere would stay in Coder. Raises as `write`."""
    await _create(client, place, _body(place, ""), trial=True)


async def _create(client: KubernetesClient, place: Place, body: Mapping[str, Any], *, trial: bool) -> bool:
    """False for one that is there and to be replaced."""
    try:
        await client.create(SECRETS, place.namespace, body, trial=trial)
    except Conflicted:
        if place.replace:
            return False
        raise CannotDo(
            f"there is a Secret {place.name} in the namespace {place.namespace}", "--replace puts the token into it"
        ) from None
    return True


def _body(place: Place, token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": place.name, "labels": {WATCH_LABEL: "true"}},
        "data": {place.key: base64.b64encode(token.encode()).decode()},
    }


def token_name(place: Place, moment: datetime) -> str:
    """What the token is called in Coder, where each of a user's has a name of its own, also those of before."""
    return f"kubernetes-{place.namespace}-{place.name}"[:MAX_NAME] + f"-{moment:%Y%m%dT%H%M%S%f}"
