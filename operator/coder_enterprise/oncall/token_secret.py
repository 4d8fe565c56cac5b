"""The Secret with the session token that a CoderDeployment refers to.

Called by `coder-enterprise create token-secret`. The token is tried before it is written, and shown nowhere.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted
from coder_enterprise.cluster.paths import SECRETS
from coder_enterprise.kinds.machinery.resource import WATCH_LABEL
from coder_enterprise.oncall.errors import CannotDo

OWNER: Final = "owner"


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


async def write(
    client: KubernetesClient, namespace: str, name: str, key: str, token: str, *, replace: bool = False
) -> None:
    """Raises `CannotDo` when the Secret is there and is not to be replaced, and `KubernetesError`. Its other keys
    stay."""
    encoded = {key: base64.b64encode(token.encode()).decode()}
    metadata = {"name": name, "labels": {WATCH_LABEL: "true"}}
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}
    try:
        await client.create(SECRETS, namespace, body)
    except Conflicted:
        if not replace:
            raise CannotDo(
                f"there is a Secret {name} in the namespace {namespace}", "--replace puts the token into it"
            ) from None
        await client.patch(SECRETS, namespace, name, body)
