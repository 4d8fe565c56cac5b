"""The migration that gives session keys a lifetime."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from alembic import command

from coder_enterprise.server.storage import api_keys, sqlite
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.migrate import configuration

USER = (
    "INSERT INTO users (id, username, email, password_hash, login_type, status, roles, avatar_url, deleted, "
    "created_at, updated_at, last_seen_at) "
    "VALUES (?, 'ann', '', '', 'none', 'active', '[]', '', 0, '{0}', '{0}', '{0}')"
)
KEY = (
    "INSERT INTO api_keys (id, secret_hash, user_id, purpose, created_at, last_used_at) "
    "VALUES (?, x'00', ?, ?, '{0}', '{0}')"
)


def test_logins_from_before_keep_their_day_and_other_keys_none(tmp_path: Path) -> None:
    user_id = uuid4()
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    with sqlite.connect(tmp_path / "coder.db", "BEGIN IMMEDIATE") as connection, connection.begin():
        command.upgrade(configuration(connection), "0002")
        connection.exec_driver_sql(USER.format(moment), (user_id.hex,))
        for purpose in ("login", "bootstrap"):
            connection.exec_driver_sql(KEY.format(moment), (purpose, user_id.hex, purpose))
        command.upgrade(configuration(connection), "head")

        def lifetime(connection: Connection, key_id: str) -> int:
            key = api_keys.by_id(connection, user_id, key_id)
            assert key is not None
            return key.lifetime_seconds

        assert lifetime(connection, "login") == 24 * 60 * 60
        assert lifetime(connection, "bootstrap") == 0
