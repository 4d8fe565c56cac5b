"""Keys for provisioner daemons: who may make them, and which daemons come with them."""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import Final
from uuid import uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import NotFound, Unauthorized, invalid, taken
from coder_enterprise.server.services import audit, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.provisioning import provisioner_keys
from coder_enterprise.server.storage.provisioning.provisioner_keys import ProvisionerKey as KeyRow
from coder_enterprise.wire.provisioner_daemons import (
    RESERVED_KEYS,
    CreateProvisionerKeyRequest,
    CreateProvisionerKeyResponse,
    ProvisionerKey,
)

LENGTH: Final = 43
"""Characters of a key, as in Coder."""
MAX_NAME: Final = 64
RESERVED: Final = frozenset({"built-in", *RESERVED_KEYS.values()})
KEYS: Final = Subject(Kind.PROVISIONER_KEY)

_ALPHABET: Final = string.ascii_letters + string.digits


class ProvisionerKeys:
    def __init__(self, database: Database, entitlements: Entitlements) -> None:
        self._database = database
        self._entitlements = entitlements

    async def list(self, actor: Actor, organization: str) -> list[ProvisionerKey]:
        """By name. Raises `NotFound` for the organization, and for one who may not see the keys."""
        self._entitlements.require(Feature.EXTERNAL_PROVISIONER_DAEMONS)

        def work(connection: Connection) -> list[KeyRow]:
            home = references.organization(connection, organization)
            if not access.sees(actor, KEYS):
                raise NotFound
            return provisioner_keys.of_organization(connection, home.id)

        return [to_wire(row) for row in await self._database.read(work)]

    async def of_secret(self, key: str) -> ProvisionerKey:
        """Whose secret it is: the key is its own credential. Raises `Unauthorized`."""
        self._entitlements.require(Feature.EXTERNAL_PROVISIONER_DAEMONS)
        digest = hash_key(key)
        row = await self._database.look_up(lambda connection: provisioner_keys.by_hash(connection, digest))
        if row is None:
            raise Unauthorized("The provisioner key is unknown.")
        return to_wire(row)

    async def create(
        self, actor: Actor, organization: str, request: CreateProvisionerKeyRequest
    ) -> CreateProvisionerKeyResponse:
        """Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        self._entitlements.require(Feature.EXTERNAL_PROVISIONER_DAEMONS)
        key = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
        await self._database.write_as(
            actor, lambda connection, actor: _create(connection, actor, organization, request, key)
        )
        return CreateProvisionerKeyResponse(key=key)

    async def delete(self, actor: Actor, organization: str, name: str) -> None:
        """Its daemons get no job any more. Raises `NotFound` and `Forbidden`."""
        self._entitlements.require(Feature.EXTERNAL_PROVISIONER_DAEMONS)

        def work(connection: Connection, actor: Actor) -> None:
            home = references.organization(connection, organization)
            access.require(actor, Action.DELETE, KEYS)
            row = provisioner_keys.by_name(connection, home.id, name)
            if row is None:
                raise NotFound
            provisioner_keys.remove(connection, row.id)
            shown = {"tags": row.tags}
            audit.record(connection, actor.id, "delete", _resource(row), before=shown, organization_id=home.id)

        await self._database.write_as(actor, work)


def hash_key(key: str) -> bytes:
    """A random key of this length needs no slow hash."""
    return hashlib.sha256(key.encode()).digest()


def _create(
    connection: Connection, actor: Actor, organization: str, request: CreateProvisionerKeyRequest, key: str
) -> None:
    home = references.organization(connection, organization)
    access.require(actor, Action.CREATE, KEYS)
    _check(request)
    row = KeyRow(
        id=uuid4(),
        organization_id=home.id,
        name=request.name,
        secret_hash=hash_key(key),
        tags=job_tags.for_organization(request.tags),
        created_at=now(),
    )
    try:
        provisioner_keys.create(connection, row)
    except Duplicate:
        raise taken(f"A provisioner key named {request.name!r} exists already.") from None
    audit.record(
        connection, actor.id, "create", _resource(row), after={"tags": row.tags}, organization_id=row.organization_id
    )


def _check(request: CreateProvisionerKeyRequest) -> None:
    problem = names.name_problem(request.name, MAX_NAME, RESERVED)
    if problem:
        raise invalid(name=problem)
    if request.tags.get(job_tags.SCOPE) == job_tags.USER or request.tags.get(job_tags.OWNER):
        raise invalid(tags="a key is for the daemons of an organization: leave scope and owner out")
    job_tags.check(request.tags)


def _resource(row: KeyRow) -> tuple[str, object, str]:
    return "provisioner_key", row.id, row.name


def to_wire(row: KeyRow) -> ProvisionerKey:
    return ProvisionerKey.model_construct(
        id=row.id, created_at=row.created_at, organization=row.organization_id, name=row.name, tags=row.tags
    )
