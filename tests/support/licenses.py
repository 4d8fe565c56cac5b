"""Licences for the tests: signed with a key that is made anew in each run."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.license_tokens import payload_of, read, sign, uuid_of
from coder_enterprise.server.storage import licenses
from coder_enterprise.server.storage.database import Database

Claims = dict[str, Any]

KEY: Final = Ed25519PrivateKey.generate()
KEY_ID: Final = "test"
PUBLIC_KEYS: Final = {KEY_ID: KEY.public_key().public_bytes_raw()}
DAY: Final = 24 * 60 * 60
"""Seconds."""


def standard(**claims: Any) -> Claims:
    """Everything for a year and a month of grace, but for what is said otherwise; None leaves a claim out."""
    moment = int(time.time())
    every = {
        "version": 3,
        "iat": moment,
        "license_expires": moment + 365 * DAY,
        "exp": moment + 395 * DAY,
        "all_features": True,
        "features": {"user_limit": 1000},
    }
    return {name: value for name, value in (every | claims).items() if value is not None}


def signed(key: Ed25519PrivateKey = KEY, key_id: str = KEY_ID, /, **claims: Any) -> str:
    return sign(standard(**claims), key, key_id)


def write_keys(path: Path) -> Path:
    path.write_text(json.dumps({name: base64.b64encode(key).decode() for name, key in PUBLIC_KEYS.items()}))
    return path


async def add_license(database: Database, **claims: Any) -> None:
    """Straight into the database; who keeps entitlements must refresh them."""
    token = signed(**claims)
    await database.write(
        lambda connection: licenses.create(
            connection,
            uuid=uuid_of(payload_of(token)),
            token=token,
            uploaded_at=now(),
            expires_at=read(token, PUBLIC_KEYS).exp,
        )
    )
