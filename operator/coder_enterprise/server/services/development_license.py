"""The licence for everything that the server makes for itself, for trials and development: CODER_DEVELOPMENT_LICENSE.

Called once, at start. It is an ordinary licence: listed, and removed by whoever may, for good. Its key signs nothing
else, for the private half is forgotten at once; the public half is trusted for as long as the setting is on.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coder_enterprise.server.services import audit
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.license_tokens import VERSION, sign
from coder_enterprise.server.storage import licenses, site_settings
from coder_enterprise.server.storage.database import Connection, Database

KEY_ID: Final = "development"
SETTING: Final = "development_license"
TERM: Final = timedelta(days=36_500)


async def development_keys(database: Database, deployment_id: UUID, *, wanted: bool) -> dict[str, bytes]:
    """The key of the licence, which is made when there was none; nothing, and no licence any more, when not wanted."""
    if wanted:
        return await database.write(lambda connection: _ensure(connection, deployment_id))
    await database.write(_remove)
    return {}


def _ensure(connection: Connection, deployment_id: UUID) -> dict[str, bytes]:
    known = site_settings.get(connection, SETTING)
    if known is None:
        known = _make(connection, deployment_id)
        site_settings.put(connection, SETTING, known)
    return {KEY_ID: base64.b64decode(known["public_key"])}


def _make(connection: Connection, deployment_id: UUID) -> dict[str, Any]:
    key = Ed25519PrivateKey.generate()
    moment, uuid = now(), uuid4()
    end = moment + TERM
    claims = {
        "version": VERSION,
        "jti": str(uuid),
        "iat": int(moment.timestamp()),
        "license_expires": int(end.timestamp()),
        "exp": int(end.timestamp()),
        "account_type": KEY_ID,
        "all_features": True,
        "deployment_ids": [str(deployment_id)],
    }
    row = licenses.create(connection, uuid=uuid, token=sign(claims, key, KEY_ID), uploaded_at=moment, expires_at=end)
    audit.record(connection, None, "create", ("license", row.id, str(uuid)), after={"uuid": str(uuid)})
    return {"license_id": row.id, "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode()}


def _remove(connection: Connection) -> None:
    known = site_settings.get(connection, SETTING)
    if known is None:
        return
    row = licenses.get(connection, known["license_id"])
    if row is not None:
        licenses.remove(connection, row.id)
        audit.record(connection, None, "delete", ("license", row.id, str(row.uuid)), before={"uuid": str(row.uuid)})
    site_settings.remove(connection, SETTING)
