"""Provisioner daemons as people see them: which there are, what they do, and what they came with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, get_args
from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import NotFound, bad_query
from coder_enterprise.server.services import references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.services.provisioning import job_views as views
from coder_enterprise.server.services.provisioning.job_tags import NO_TAGS
from coder_enterprise.server.services.provisioning.provisioner_keys import KEYS, to_wire
from coder_enterprise.server.services.template_access import access_of
from coder_enterprise.server.storage import templates
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import job_views, provisioner_daemons, provisioner_keys
from coder_enterprise.server.storage.provisioning.job_views import Work
from coder_enterprise.server.storage.provisioning.provisioner_daemons import ProvisionerDaemon
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.wire.provisioner_daemons import (
    PSK_KEY,
    RESERVED_KEYS,
    USER_AUTH_KEY,
    DaemonJob,
    DaemonStatus,
    KeyDaemons,
    ProvisionerKey,
    SDKProvisionerDaemon,
)

FORGOTTEN_AFTER: Final = timedelta(days=7)
STATUSES: Final[tuple[str, ...]] = get_args(DaemonStatus)

_RESERVED_IDS: Final = {"psk": PSK_KEY, "session": USER_AUTH_KEY}


class Which(NamedTuple):
    """The daemons that a list shall hold; empty means all that are connected."""

    limit: int | None = None
    offline: bool = False
    """Also those that are not connected."""
    statuses: tuple[str, ...] = ()
    ids: tuple[UUID, ...] = ()
    tags: Mapping[str, str] = NO_TAGS
    max_age: timedelta | None = None
    """That they were seen within."""

    def holds(self, daemon: SDKProvisionerDaemon, moment: datetime) -> bool:
        offline_too = self.offline or "offline" in self.statuses
        statuses = {*self.statuses, "offline"} if offline_too else set(self.statuses)
        return (
            (daemon.status != "offline" or offline_too)
            and (not self.statuses or daemon.status in statuses)
            and (not self.ids or daemon.id in self.ids)
            and (not self.tags or job_tags.accepts(daemon.tags, self.tags))
            and (self.max_age is None or moment - daemon.last_seen_at <= self.max_age)
        )


class ProvisionerDaemons:
    def __init__(self, database: Database, entitlements: Entitlements) -> None:
        self._database = database
        self._entitlements = entitlements

    def require_feature(self) -> None:
        """Comes before anything else, even before who asks. Raises `Forbidden`."""
        self._entitlements.require(Feature.EXTERNAL_PROVISIONER_DAEMONS)

    async def by_key(self, actor: Actor, organization: str) -> list[KeyDaemons]:
        """Every key with its daemons, and those without one where there are any. Raises `NotFound` like the keys."""
        self.require_feature()

        def work(connection: Connection) -> list[KeyDaemons]:
            home = references.organization(connection, organization)
            if not access.sees(actor, KEYS):
                raise NotFound
            daemons = _shown(connection, actor, home.id)
            keys = [to_wire(row) for row in provisioner_keys.of_organization(connection, home.id)]
            return _grouped([*keys, *_reserved(home.id)], daemons)

        return await self._database.read(work)

    async def list(self, actor: Actor, organization: str, which: Which) -> list[SDKProvisionerDaemon]:
        """For every user, newest first; what they do is told of the templates that the actor sees.

        Raises `BadRequest`, and `NotFound` for the organization.
        """
        self.require_feature()
        unknown = sorted(set(which.statuses) - set(STATUSES))
        if unknown:
            raise bad_query(status=f"{unknown[0]!r} is not one of {', '.join(STATUSES)}")
        daemons = await self._database.read(
            lambda connection: _shown(connection, actor, references.organization(connection, organization).id)
        )
        moment = now()
        return [daemon for daemon in daemons if which.holds(daemon, moment)][: which.limit]

    async def forget_old(self) -> None:
        """Daemons that have not been seen for a week."""
        await self._database.write(lambda connection: provisioner_daemons.purge(connection, now() - FORGOTTEN_AFTER))


def _shown(connection: Connection, actor: Actor, organization_id: UUID) -> list[SDKProvisionerDaemon]:
    found = provisioner_daemons.of_organization(connection, organization_id)
    seen = {row.id for row in templates.of_organization(connection, organization_id, access_of(actor))}
    work_of = [item.seen_by(seen) for item in job_views.work_of(connection, organization_id)]
    return _to_wire(found, work_of, now())


def _reserved(organization_id: UUID) -> list[ProvisionerKey]:
    """What stands for a key where there is none."""
    return [
        ProvisionerKey(id=key_id, created_at=NEVER, organization=organization_id, name=name, tags={})
        for key_id, name in RESERVED_KEYS.items()
    ]


def _grouped(keys: Iterable[ProvisionerKey], daemons: Sequence[SDKProvisionerDaemon]) -> list[KeyDaemons]:
    found = [
        KeyDaemons.model_construct(key=key, daemons=[daemon for daemon in daemons if daemon.key_id == key.id])
        for key in keys
    ]
    return [item for item in found if item.daemons or item.key.id not in RESERVED_KEYS]


def _to_wire(
    found: Iterable[tuple[ProvisionerDaemon, str]], work: Iterable[Work], moment: datetime
) -> list[SDKProvisionerDaemon]:
    current: dict[UUID, DaemonJob] = {}
    previous: dict[UUID, DaemonJob] = {}
    for item in work:
        place = current if item.job.completed_at is None else previous
        place[item.worker_id] = _job(item)
    return [
        SDKProvisionerDaemon.model_construct(
            id=daemon.id,
            organization_id=daemon.organization_id,
            key_id=daemon.key_id or _RESERVED_IDS[daemon.login],
            created_at=daemon.created_at,
            last_seen_at=daemon.last_seen_at,
            name=daemon.name,
            version=daemon.version,
            api_version=daemon.api_version,
            provisioners=daemon.provisioners,
            tags=daemon.tags,
            key_name=key_name or RESERVED_KEYS[_RESERVED_IDS[daemon.login]],
            status=_status(daemon, daemon.id in current, moment),
            current_job=current.get(daemon.id),
            previous_job=previous.get(daemon.id),
        )
        for daemon, key_name in found
    ]


def _status(daemon: ProvisionerDaemon, is_busy: bool, moment: datetime) -> DaemonStatus:
    if views.is_offline(daemon, moment):
        return "offline"
    return "busy" if is_busy else "idle"


def _job(item: Work) -> DaemonJob:
    return DaemonJob.model_construct(
        id=item.job.id,
        status=views.status(item.job),
        template_name=item.template_name,
        template_icon=item.template_icon,
        template_display_name=item.template_display_name,
    )
