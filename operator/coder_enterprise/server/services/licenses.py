"""Licences: adding, listing and removing them. What they allow is computed in `entitlements`."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Final

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound, invalid, taken
from coder_enterprise.server.services import audit
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements
from coder_enterprise.server.services.license_tokens import InvalidLicense, payload_of, read_current, uuid_of
from coder_enterprise.server.storage import licenses
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.failures import Outage, Overload
from coder_enterprise.server.storage.licenses import License as LicenseRow
from coder_enterprise.wire.common import SDKResponse
from coder_enterprise.wire.licenses import AddLicenseRequest, License

ID_FORM: Final = re.compile(r"[+-]?[0-9]{1,10}")
MAX_ID: Final = 2**31 - 1
LICENSES: Final = Subject(Kind.LICENSE)


class Licenses:
    def __init__(self, database: Database, entitlements: Entitlements) -> None:
        self._database = database
        self._entitlements = entitlements

    async def list(self, actor: Actor) -> list[License]:
        """By id, also those that have expired; none for an actor who may not see them."""
        if not access.sees(actor, LICENSES):
            return []
        return [_to_wire(row, payload_of(row.token)) for row in await self._database.read(licenses.all_of)]

    async def add(self, actor: Actor, request: AddLicenseRequest) -> License:
        """Raises `Forbidden`, `BadRequest` for a licence that is no good, `Conflict` for one that is there already.

        One that is not valid yet is taken, and does nothing until then.
        """
        access.require(actor, Action.CREATE, LICENSES)
        token = request.license.strip()
        if not token:
            raise invalid(license="is required")
        try:
            claims = read_current(token, self._entitlements.keys, self._entitlements.deployment_id, now())
        except InvalidLicense as error:
            raise BadRequest("The licence is not valid.", f"It {error}.", validations={"license": str(error)}) from None
        payload = payload_of(token)
        values = {"uuid": uuid_of(payload), "token": token, "uploaded_at": now(), "expires_at": claims.exp}
        row = await self._database.write_as(actor, lambda connection, actor: _create(connection, actor, values))
        await self._changed()
        return _to_wire(row, payload)

    async def delete(self, actor: Actor, reference: str) -> None:
        """Raises `NotFound`, also for what is no id, and `Forbidden`."""
        license_id = _id(reference)
        await self._database.write_as(actor, lambda connection, actor: _delete(connection, actor, license_id))
        await self._changed()

    async def refresh_entitlements(self, actor: Actor) -> SDKResponse:
        """Raises `Forbidden`, and `TooSoon` within a minute of the last time."""
        access.require(actor, Action.UPDATE, LICENSES)
        await self._entitlements.refresh_on_demand()
        return SDKResponse(message="The entitlements are refreshed.")

    async def _changed(self) -> None:
        """The change is stored and must be answered as such; what could not be refreshed now, the worker does."""
        with contextlib.suppress(Overload, Outage):
            await self._entitlements.refresh()
        await self._entitlements.tell_replicas()


def _id(reference: str) -> int:
    """A number that fits into 32 bits, as Coder reads it."""
    if not ID_FORM.fullmatch(reference) or not -MAX_ID - 1 <= int(reference) <= MAX_ID:
        raise NotFound
    return int(reference)


def _create(connection: Connection, actor: Actor, values: dict[str, Any]) -> LicenseRow:
    access.require(actor, Action.CREATE, LICENSES)
    try:
        row = licenses.create(connection, **values)
    except Duplicate:
        raise taken(
            "This licence has been added already.",
            "Nothing was changed. GET /licenses lists the licences.",
            field="license",
        ) from None
    audit.record(connection, actor.id, "create", _resource(row), after=_shown(row))
    return row


def _delete(connection: Connection, actor: Actor, license_id: int) -> None:
    access.require(actor, Action.DELETE, LICENSES)
    row = licenses.get(connection, license_id)
    if row is None:
        raise NotFound
    licenses.remove(connection, license_id)
    audit.record(connection, actor.id, "delete", _resource(row), before=_shown(row))


def _resource(row: LicenseRow) -> tuple[str, object, str]:
    return "license", row.id, str(row.uuid)


def _shown(row: LicenseRow) -> dict[str, Any]:
    return {"uuid": str(row.uuid), "expires_at": row.expires_at.isoformat()}


def _to_wire(row: LicenseRow, payload: dict[str, Any]) -> License:
    return License(id=row.id, uuid=row.uuid, uploaded_at=row.uploaded_at, claims=payload)
