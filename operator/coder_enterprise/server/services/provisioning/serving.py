"""A daemon that is connected, and whether its user may still run it. Asked by whatever is done for a daemon."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.storage import actors
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning.provisioner_daemons import ProvisionerDaemon


@dataclass(frozen=True)
class Serving:
    """A daemon that is connected."""

    daemon: ProvisionerDaemon
    user: Actor | None = None
    """Whose session it came with; None for a provisioner key and for the pre-shared key."""


def daemons_of(owner: str) -> Subject:
    """Daemons for the jobs of the user with that id, or for everybody's: ""."""
    return Subject(Kind.PROVISIONER_DAEMON, UUID(owner) if owner else None)


def require_user(connection: Connection, serving: Serving) -> None:
    """Its user may still run it. Raises `SessionEnded` and `Forbidden`."""
    if serving.user is not None:
        actor = actors.current(connection, serving.user)
        access.require(actor, Action.CREATE, daemons_of(serving.daemon.owner))
