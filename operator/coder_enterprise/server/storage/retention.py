"""Removes what is old, a few rows at a time: each function is one batch, and says how many rows it removed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, delete, exists, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import api_keys, audit_log, files, provisioner_job_logs, provisioner_jobs


def audit_entries(connection: Connection, before: datetime, limit: int) -> int:
    return _remove(connection, audit_log, select(audit_log.c.id).where(audit_log.c.time < before), limit)


def expired_keys(connection: Connection, before: datetime, limit: int) -> int:
    """Sessions and tokens that expired before that."""
    return _remove(connection, api_keys, select(api_keys.c.id).where(api_keys.c.expires_at < before), limit)


def job_logs(connection: Connection, before: datetime, limit: int) -> int:
    """Of jobs that were completed before that."""
    its_job = provisioner_jobs.c.id == provisioner_job_logs.c.job_id
    old = select(provisioner_job_logs.c.id).join(provisioner_jobs, its_job)
    return _remove(connection, provisioner_job_logs, old.where(provisioner_jobs.c.completed_at < before), limit)


def unused_files(connection: Connection, before: datetime, limit: int) -> int:
    """Uploaded before that, and read by no job."""
    is_used = exists().where(provisioner_jobs.c.file_id == files.c.id)
    return _remove(connection, files, select(files.c.id).where(files.c.created_at < before, ~is_used), limit)


def _remove(connection: Connection, table: Table, old: Select[Any], limit: int) -> int:
    """`old` selects ids."""
    return connection.execute(delete(table).where(table.c.id.in_(old.limit(limit)))).rowcount
