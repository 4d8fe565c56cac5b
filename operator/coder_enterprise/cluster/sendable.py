"""Secrets, and whose values may leave the cluster: those that somebody who may write Secrets has marked for Coder.

Asked by the deployment reconciler, by `controller.beside` and by the doctor, for what is sent to Coder. Whoever may
write our objects, but not read Secrets, could otherwise name any Secret and an address of their own, and be sent its
value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.secrets import Secret
from coder_enterprise.kinds.machinery.connection import SecretKeyRef
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import GROUP, WATCH_LABEL
from coder_enterprise.kinds.machinery.secret_text import no_secret, no_value

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


async def read_all(client: KubernetesClient, namespace: str, refs: Iterable[SecretKeyRef]) -> dict[SecretKeyRef, str]:
    """The values that a connection needs. Raises `KindError` for what is missing, may not be read or is not marked,
    and `KubernetesError`."""
    values: dict[SecretKeyRef, str] = {}
    for ref in refs:
        secret = await _read(client, namespace, ref)
        if secret is None:
            raise no_secret(f"Secret {namespace}/{ref.name}", "create it")
        if not secret.get(ref.key, "").strip():
            raise no_value(f"Secret {namespace}/{ref.name}", ref.key, "add it")
        values[ref] = secret[ref.key]
    return values


async def _read(client: KubernetesClient, namespace: str, ref: SecretKeyRef) -> Mapping[str, str] | None:
    try:
        return await secret_values(client, namespace, ref.name, send=ref.sent)
    except KubernetesError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        raise stalled(
            Reason.FORBIDDEN,
            f"the operator may not read Secret {namespace}/{ref.name}; allow its service account to get it",
        ) from None


def is_sendable(secret: Secret) -> bool:
    """What the operator has made itself, and labels, is for somebody else, such as a workspace proxy."""
    marked = secret.type == TYPE or secret.is_watched
    return marked and not any(owner.startswith(f"{GROUP}/") for owner in secret.owners)
