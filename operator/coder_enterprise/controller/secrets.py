"""Secrets, and whose values may leave the cluster: those that somebody who may write Secrets has marked for Coder.

Asked by the deployment reconciler and by `controller.cluster` for what is sent to Coder. Whoever may write our objects,
but not read Secrets, could otherwise name any Secret and an address of their own, and be sent its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from coder_enterprise.controller.kubernetes import KubernetesClient, Secret
from coder_enterprise.kinds.base import stalled
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import GROUP, WATCH_LABEL

TYPE: Final = f"{GROUP}/token"
"""Type of a Secret that is meant for Coder."""


async def secret_values(client: KubernetesClient, namespace: str, name: str, *, send: bool) -> Mapping[str, str] | None:
    """The values of a Secret as text; None when there is none. Raises `KindError` for one that is to be sent to Coder
    and that nobody has marked for that, and `KubernetesError`."""
    secret = await client.secret(namespace, name)
    if secret is None:
        return None
    if send and not is_sendable(secret):
        raise stalled(
            Reason.SECRET_NOT_MARKED,
            f"Secret {namespace}/{name} is not marked as one for Coder, so nothing of it is sent; if it is one: "
            f"kubectl label secret {name} -n {namespace} {WATCH_LABEL}=true, or make it with the type {TYPE}",
        )
    return secret.values


def is_sendable(secret: Secret) -> bool:
    """What the operator has made itself, and labels, is for somebody else, such as a workspace proxy."""
    marked = secret.type == TYPE or secret.labels.get(WATCH_LABEL) == "true"
    return marked and not any(owner.startswith(f"{GROUP}/") for owner in secret.owners)
