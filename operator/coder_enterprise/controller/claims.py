"""Claims: what proves, after a crash between a create in Coder and its record in status, that the thing is ours.

Made by the manager, used by the reconcilers of managed objects. A claim rides on the write of the finalizer, as an
annotation, which whoever may edit the object can write too. So it is a signature that only the operator can make, and
good for one object (its uid) and one name. A lost key costs nothing but this: who was interrupted then says
AlreadyExists. So a Secret that somebody deletes comes back with the same key, from whichever replica has it; to change
the key, write another one into the Secret, which counts for all replicas at once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from contextlib import aclosing
from http import HTTPStatus
from typing import Final

import structlog

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, KubernetesError
from coder_enterprise.cluster.marks import CLAIMS
from coder_enterprise.cluster.paths import SECRETS
from coder_enterprise.cluster.secrets import Secret
from coder_enterprise.cluster.watching import Listed, follow
from coder_enterprise.kinds.machinery.resource import CLAIM, Resource

KEY: Final = "key"
KEY_BYTES: Final = 32
RETRY: Final = 30.0
"""Seconds until a Secret is looked for again that could not be watched or made."""

log = structlog.get_logger(__name__)


class Claims:
    """Without a key it signs nothing, and nothing is proven."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key

    async def load(self, client: KubernetesClient, namespace: str) -> None:
        """Share the key of all replicas, which the first one makes. Raises `KubernetesError`, but for a refusal."""
        try:
            self._key = _key(await client.secret(namespace, CLAIMS)) or await self._write(client, namespace)
        except KubernetesError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
        if not self._key:
            log.warning(
                "no claims: what a crash leaves unrecorded will say AlreadyExists; let the operator's service account "
                "get and create this Secret, or delete it if it is spoilt",
                secret=f"{namespace}/{CLAIMS}",
            )

    async def keep(self, client: KubernetesClient, namespace: str) -> None:
        """For ever: the Secret is written anew when it goes, and its key counts when it changes."""
        told = ""
        while True:
            try:
                await self._follow(client, namespace)
            except KubernetesError as error:
                if str(error) != told:
                    log.warning("the Secret of claims is not watched", secret=f"{namespace}/{CLAIMS}", error=str(error))
                told = str(error)
            await asyncio.sleep(RETRY)

    async def _follow(self, client: KubernetesClient, namespace: str) -> None:
        async with aclosing(follow(client, SECRETS, namespace, f"metadata.name={CLAIMS}")) as stream:
            async for seen in stream:
                if isinstance(seen, Listed):
                    body = next(iter(seen.objects), None)
                else:
                    body = None if seen.type == "DELETED" else seen.object
                if body is None:
                    self._key = await self._write(client, namespace)
                    log.info("the Secret of claims was gone, and is there again", secret=f"{namespace}/{CLAIMS}")
                else:
                    self._key = _key(Secret.from_body(body)) or self._key

    async def _write(self, client: KubernetesClient, namespace: str) -> bytes:
        """The key that counts then: the one that is known, a new one, or that of a replica that was faster."""
        key = self._key or secrets.token_bytes(KEY_BYTES)
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": CLAIMS, "namespace": namespace},
            "data": {KEY: base64.b64encode(base64.b64encode(key)).decode()},
        }
        try:
            await client.create(SECRETS, namespace, body)
        except Conflicted:
            return _key(await client.secret(namespace, CLAIMS)) or self._key
        return key

    def sign(self, resource: Resource, name: str) -> str | None:
        """What the object is annotated with while that name in Coder is its own; None without a key."""
        if not self._key:
            return None
        return hmac.digest(self._key, f"{resource.uid}/{name}".encode(), "sha256").hex()

    def proves(self, resource: Resource, name: str) -> bool:
        """Whether the operator has let this very object have that name in Coder."""
        signature = self.sign(resource, name)
        return signature is not None and hmac.compare_digest(
            signature.encode(), resource.annotations.get(CLAIM, "").encode()
        )


def _key(secret: Secret | None) -> bytes:
    """b"" for none, and for one that somebody has spoilt."""
    try:
        key = base64.b64decode(secret.values.get(KEY, "") if secret else "", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if len(key) >= KEY_BYTES else b""
