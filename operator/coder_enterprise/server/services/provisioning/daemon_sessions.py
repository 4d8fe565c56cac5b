"""Sessions of provisioner daemons from their registration to their end, and what daemons may make the server hold.

How a daemon speaks is `rpc`'s; what it can ask is `protocol`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

import structlog

from coder_enterprise.server.budgets import Budget, Budgets
from coder_enterprise.server.errors import (
    Forbidden,
    Overloaded,
    Unauthorized,
)
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.rpc import calls
from coder_enterprise.server.rpc.session import HELD_LIMIT, Receive, Send, Session, SessionClosed
from coder_enterprise.server.services import audit, session_tokens
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning.job_course import JobCourse
from coder_enterprise.server.services.provisioning.job_queue import JobQueue
from coder_enterprise.server.services.provisioning.module_transfers import ModuleTransfers
from coder_enterprise.server.services.provisioning.protocol import handlers
from coder_enterprise.server.services.provisioning.serving import Serving, require_user
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.failures import SessionEnded
from coder_enterprise.server.storage.provisioning import provisioner_daemons
from coder_enterprise.server.storage.provisioning.provisioner_daemons import ProvisionerDaemon
from coder_enterprise.server.tasks import until_first
from coder_enterprise.wire.provisioning.yamux import Role

HEARTBEAT: Final = 60.0
"""Seconds."""
MAX_HELD: Final = 64 * 1024 * 1024
"""Bytes that all daemons together may have sent and nobody has used yet."""
MAX_HELD_OF_USERS: Final = MAX_HELD // 2
"""Of these, for daemons that users run for their own jobs: the others always have the rest."""
MAX_HELD_OF_ONE_USER: Final = 2 * HELD_LIMIT
"""Of these, for all daemons of one user."""
MAX_OF_ONE_USER: Final = 16
"""Daemons for one user's own jobs: connected at once, and kept in the list."""

log = structlog.get_logger(__name__)


class DaemonSessions:
    def __init__(self, database: Database, queue: JobQueue, course: JobCourse) -> None:
        self._database = database
        self._queue = queue
        self._course = course
        self._files = ModuleTransfers(database)
        self._held = Budget(MAX_HELD)
        self._held_of_users = Budgets(MAX_HELD_OF_ONE_USER, Budget(MAX_HELD_OF_USERS, self._held))
        self._connected: Counter[str] = Counter()
        """By owner."""

    @contextlib.contextmanager
    def place_of(self, serving: Serving) -> Iterator[None]:
        """Among those that a user may have connected; held from before it is registered. Raises `Overloaded`."""
        owner = serving.daemon.owner
        if owner and self._connected[owner] >= MAX_OF_ONE_USER:
            raise Overloaded(f"{MAX_OF_ONE_USER} daemons of yours are connected; no more can be.")
        self._connected[owner] += 1
        try:
            yield
        finally:
            self._connected[owner] -= 1
            if not self._connected[owner]:
                del self._connected[owner]

    async def register(self, serving: Serving) -> Serving:
        """As it is kept: one that comes back is the one that it was.

        Raises `SessionEnded` and `Forbidden`.
        """

        def work(connection: Connection) -> ProvisionerDaemon:
            require_user(connection, serving)
            return _register(connection, serving)

        return Serving(await self._database.write(work), serving.user)

    async def serve(self, serving: Serving, receive: Receive, send: Send) -> None:
        """Until either side ends the connection, or the daemon may not serve any more. Raises nothing of the peer's."""
        daemon = serving.daemon
        async with Session(Role.SERVER, receive, send, self._budget_of(daemon)) as session:
            outcomes = await until_first(
                calls.serve(session, handlers(self._queue, self._course, self._files, serving)),
                self._keep_seen(serving),
            )
        for outcome in outcomes:
            if isinstance(outcome, SessionClosed):
                log.warning("the connection of a provisioner daemon failed", daemon=daemon.name, error=str(outcome))
            elif isinstance(outcome, Exception):
                raise outcome

    def _budget_of(self, daemon: ProvisionerDaemon) -> Budget:
        return Budget(HELD_LIMIT, self._held_of_users.of(daemon.owner) if daemon.owner else self._held)

    async def _keep_seen(self, serving: Serving) -> None:
        """For as long as the daemon is registered, and its user may run it. Its session is in use until then."""

        def work(connection: Connection) -> bool:
            require_user(connection, serving)
            if serving.user is not None:
                session_tokens.note_use(connection, serving.user.key_id)
            return provisioner_daemons.touch(connection, serving.daemon.id, now())

        name = serving.daemon.name
        is_registered = True
        while is_registered:
            await asyncio.sleep(HEARTBEAT)
            try:
                is_registered = await self._database.write(work)
            except (SessionEnded, Unauthorized, Forbidden) as error:
                log.warning("a provisioner daemon may not serve any more", daemon=name, cause=error.message)
                return
            except Refused as error:
                log.warning("a provisioner daemon was seen, but not noted", daemon=name, error=error.message)


def _register(connection: Connection, serving: Serving) -> ProvisionerDaemon:
    daemon = serving.daemon
    kept = provisioner_daemons.put(connection, daemon)
    if daemon.owner and provisioner_daemons.count_of_owner(connection, daemon.owner) > MAX_OF_ONE_USER:
        raise Forbidden(
            f"You have {MAX_OF_ONE_USER} daemons already.",
            "Use one of their names again, or wait until those that are not used any more are forgotten.",
        )
    if kept.id == daemon.id:
        shown = {"login": kept.login, "tags": kept.tags, "provisioners": kept.provisioners}
        resource = ("provisioner_daemon", kept.id, kept.name)
        who = serving.user.account if serving.user else None
        audit.record(connection, who, "register", resource, after=shown, organization_id=kept.organization_id)
    return kept
