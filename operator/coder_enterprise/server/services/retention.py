"""How long is kept what nobody needs any more: the audit, expired sessions and tokens, logs of jobs, unused files.

Called by `workers.retention`. What goes is removed in batches, each a short transaction, so that others get their turn
between two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from coder_enterprise.server.services.clock import now
from coder_enterprise.server.settings import Retention as Periods
from coder_enterprise.server.storage import retention
from coder_enterprise.server.storage.database import Database

BATCH: Final = 500
FILES_BATCH: Final = 10
"""They are large."""
FILES_PERIOD: Final = timedelta(days=1)
"""For who uploads a file and does not make anything of it."""


@dataclass(frozen=True)
class _Rule:
    name: str
    period: timedelta
    """None at all is for ever."""
    remove: Callable[..., int]
    batch: int = BATCH


class Retention:
    def __init__(self, database: Database, periods: Periods) -> None:
        self._database = database
        self._rules = (
            _Rule("audit_log", periods.audit_logs, retention.audit_entries),
            _Rule("api_keys", periods.api_keys, retention.expired_keys),
            _Rule("provisioner_job_logs", periods.job_logs, retention.job_logs),
            _Rule("files", FILES_PERIOD, retention.unused_files, FILES_BATCH),
        )

    async def remove_old(self) -> dict[str, int]:
        """How many rows were removed, by table."""
        return {rule.name: count for rule in self._rules if rule.period and (count := await self._apply(rule))}

    async def _apply(self, rule: _Rule) -> int:
        before, total = now() - rule.period, 0
        while True:
            count = await self._database.write(lambda connection: rule.remove(connection, before, rule.batch))
            total += count
            if count < rule.batch:
                return total
