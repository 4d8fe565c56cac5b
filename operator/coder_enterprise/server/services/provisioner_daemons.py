"""Provisioner daemons: who may serve, which there are, and their sessions from beginning to end.

A daemon comes with a provisioner key, with a user's session, or with the pre-shared key of the settings. How it speaks
is `wire.provisioning`'s; what it can ask is `provisioner_protocol`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor
from coder_enterprise.server.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    Overloaded,
    RequestError,
    Unauthorized,
    invalid,
)
from coder_enterprise.server.services import audit, provisioner_tags, references, sessions
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.provisioner_jobs import (
    ProvisionerJobs,
    Serving,
    daemons_of,
    require_user,
    status,
)
from coder_enterprise.server.services.provisioner_keys import KEYS, hash_key, to_wire
from coder_enterprise.server.services.provisioner_protocol import handlers
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.services.templates import access_of
from coder_enterprise.server.storage import provisioner_daemons, provisioner_jobs, provisioner_keys, templates
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioner_daemons import ProvisionerDaemon
from coder_enterprise.server.storage.provisioner_jobs import Work
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.wire.budgets import Budget, Budgets
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
from coder_enterprise.wire.provisioner_jobs import PROVISIONERS
from coder_enterprise.wire.provisioning import calls
from coder_enterprise.wire.provisioning.session import HELD_LIMIT, Receive, Send, Session, SessionClosed
from coder_enterprise.wire.provisioning.yamux import Role

HEARTBEAT: Final = 60.0
"""Seconds."""
OFFLINE_AFTER: Final = timedelta(seconds=90)
FORGOTTEN_AFTER: Final = timedelta(days=7)
MAX_HELD: Final = 64 * 1024 * 1024
"""Bytes that all daemons together may have sent and nobody has used yet."""
MAX_HELD_OF_USERS: Final = MAX_HELD // 2
"""Of these, for daemons that users run for their own jobs: the others always have the rest."""
MAX_HELD_OF_ONE_USER: Final = 2 * HELD_LIMIT
"""Of these, for all daemons of one user."""
MAX_OF_ONE_USER: Final = 16
"""Daemons for one user's own jobs: connected at once, and kept in the list."""
MAX_NAME: Final = 64
MAX_VERSION: Final = 128
DEFAULT_API_VERSION: Final = "1.0"
API_MAJOR: Final = 1
API_MINOR: Final = 20
"""The latest that is known here."""

_API_VERSION_FORM: Final = re.compile(r"(\d{1,4})\.(\d{1,4})")
_RESERVED_IDS: Final = {"psk": PSK_KEY, "session": USER_AUTH_KEY}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Query:
    """What a daemon says of itself, as it was sent."""

    provisioners: Sequence[str]
    tags: Sequence[str]
    id: str = ""
    name: str = ""
    api_version: str = ""
    version: str = ""


@dataclass(frozen=True)
class Credentials:
    session: str = field(default="", repr=False)
    psk: str = field(default="", repr=False)
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class _Offer:
    """A query that can be read."""

    provisioners: list[str]
    tags: dict[str, str]
    name: str
    api_version: str
    version: str


@dataclass(frozen=True)
class _Admitted:
    login: str
    tags: dict[str, str]
    key: provisioner_keys.ProvisionerKey | None = None
    user: Actor | None = None
    """Whose session it came with."""


class ProvisionerDaemons:
    """`psk` is the pre-shared key; "" is none."""

    def __init__(
        self, database: Database, sessions: Sessions, entitlements: Entitlements, jobs: ProvisionerJobs, psk: str
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._entitlements = entitlements
        self._jobs = jobs
        self._psk = psk
        self._held = Budget(MAX_HELD)
        self._held_of_users = Budgets(MAX_HELD_OF_ONE_USER, Budget(MAX_HELD_OF_USERS, self._held))
        self._connected: Counter[str] = Counter()
        """By owner."""

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

    async def list(self, actor: Actor, organization: str) -> list[SDKProvisionerDaemon]:
        """For every user, newest first; what they do is told of the templates that the actor sees.

        Raises `NotFound` for the organization.
        """
        self.require_feature()
        return await self._database.read(
            lambda connection: _shown(connection, actor, references.organization(connection, organization).id)
        )

    async def admit(self, organization: str, query: Query, credentials: Credentials) -> Serving:
        """The daemon that may serve; it is not registered yet.

        Raises `Forbidden` without a licence, `BadRequest`, `Unauthorized`, `Forbidden` and `NotFound`, in that order.
        """
        self.require_feature()
        offer = _read(query)
        admitted = await self._authorize(offer, credentials)
        provisioner_tags.check(admitted.tags, "tag")
        home = await self._database.read(lambda connection: references.organization(connection, organization))
        if admitted.key is not None and admitted.key.organization_id != home.id:
            raise Forbidden("The provisioner key belongs to another organization.")
        moment = now()
        daemon = ProvisionerDaemon(
            id=uuid4(),
            organization_id=home.id,
            name=offer.name,
            owner=admitted.tags[provisioner_tags.OWNER],
            provisioners=offer.provisioners,
            tags=admitted.tags,
            version=offer.version,
            api_version=offer.api_version,
            login=admitted.login,
            key_id=admitted.key.id if admitted.key else None,
            created_at=moment,
            last_seen_at=moment,
        )
        return Serving(daemon, admitted.user)

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

        Raises `Unauthorized` and `Forbidden`.
        """

        def work(connection: Connection) -> ProvisionerDaemon:
            require_user(connection, serving)
            return _register(connection, serving)

        return Serving(await self._database.write(work), serving.user)

    async def serve(self, serving: Serving, receive: Receive, send: Send) -> None:
        """Until either side ends the connection, or the daemon may not serve any more. Raises nothing of the peer's."""
        daemon = serving.daemon
        async with Session(Role.SERVER, receive, send, self._budget_of(daemon)) as session:
            outcomes = await calls.until_first(
                calls.serve(session, handlers(self._jobs, serving)), self._keep_seen(serving)
            )
        for outcome in outcomes:
            if isinstance(outcome, SessionClosed):
                log.warning("the connection of a provisioner daemon failed", daemon=daemon.name, error=str(outcome))
            elif isinstance(outcome, Exception):
                raise outcome

    def _budget_of(self, daemon: ProvisionerDaemon) -> Budget:
        return Budget(HELD_LIMIT, self._held_of_users.of(daemon.owner) if daemon.owner else self._held)

    async def forget_old(self) -> None:
        """Daemons that have not been seen for a week."""
        await self._database.write(lambda connection: provisioner_daemons.purge(connection, now() - FORGOTTEN_AFTER))

    async def _keep_seen(self, serving: Serving) -> None:
        """For as long as the daemon is registered, and its user may run it. Its session is in use until then."""

        def work(connection: Connection) -> bool:
            require_user(connection, serving)
            if serving.user is not None:
                sessions.note_use(connection, serving.user.key_id)
            return provisioner_daemons.touch(connection, serving.daemon.id, now())

        name = serving.daemon.name
        is_registered = True
        while is_registered:
            await asyncio.sleep(HEARTBEAT)
            try:
                is_registered = await self._database.write(work)
            except (Unauthorized, Forbidden) as error:
                log.warning("a provisioner daemon may not serve any more", daemon=name, cause=error.message)
                return
            except RequestError as error:
                log.warning("a provisioner daemon was seen, but not noted", daemon=name, error=error.message)

    async def _authorize(self, offer: _Offer, credentials: Credentials) -> _Admitted:
        """A user may run a daemon for their own jobs; for everybody's it takes a role, a key or the pre-shared key."""
        if credentials.key:
            return await self._with_key(offer, credentials)
        refusal: RequestError = Unauthorized("No session token, provisioner key or pre-shared key was sent.")
        if credentials.session:
            try:
                return await self._with_session(offer, credentials.session)
            except (Unauthorized, Forbidden) as error:
                refusal = error
        if credentials.psk:
            if self._psk and hmac.compare_digest(credentials.psk.encode(), self._psk.encode()):
                return _Admitted("psk", provisioner_tags.for_organization(offer.tags))
            if not credentials.session:
                refusal = Unauthorized("The pre-shared key is wrong, or this server has none.")
        raise refusal

    async def _with_session(self, offer: _Offer, token: str) -> _Admitted:
        actor = await self._sessions.authenticate(token)
        tags = provisioner_tags.normalized(offer.tags, actor.id)
        access.require(actor, Action.CREATE, daemons_of(tags[provisioner_tags.OWNER]))
        return _Admitted("session", tags, user=actor)

    async def _with_key(self, offer: _Offer, credentials: Credentials) -> _Admitted:
        if credentials.session or credentials.psk:
            raise BadRequest("A provisioner key was sent together with another credential; send one of them.")
        if offer.tags:
            raise BadRequest("A provisioner key has tags of its own: send none.", validations={"tag": "must be absent"})
        digest = hash_key(credentials.key)
        key = await self._database.look_up(lambda connection: provisioner_keys.by_hash(connection, digest))
        if key is None:
            raise Unauthorized("The provisioner key is unknown.")
        return _Admitted("key", key.tags, key)


def _shown(connection: Connection, actor: Actor, organization_id: UUID) -> list[SDKProvisionerDaemon]:
    found = provisioner_daemons.of_organization(connection, organization_id)
    seen = {row.id for row in templates.of_organization(connection, organization_id, access_of(actor))}
    work_of = [item.seen_by(seen) for item in provisioner_jobs.work_of(connection, organization_id)]
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
        audit.record(connection, serving.user.account if serving.user else None, "register", resource, after=shown)
    return kept


def _read(query: Query) -> _Offer:
    """Raises `BadRequest`."""
    tags = provisioner_tags.parse(query.tags)
    if not query.provisioners:
        raise invalid(provisioner=f"is required: one or more of {', '.join(PROVISIONERS)}")
    unknown = [name for name in query.provisioners if name not in PROVISIONERS]
    if unknown:
        raise invalid(provisioner=f"{unknown[0]!r} is not one of {', '.join(PROVISIONERS)}")
    given_id = names.as_uuid(query.id) if query.id else uuid4()
    if given_id is None:
        raise invalid(id="must be a UUID")
    name = query.name or f"provisioner-{given_id.hex[:12]}"
    if problem := names.text_problem(name, MAX_NAME):
        raise invalid(name=problem)
    api_version = query.api_version or DEFAULT_API_VERSION
    _check_api_version(api_version)
    version = query.version.replace("\0", "")[:MAX_VERSION]
    return _Offer(sorted(set(query.provisioners)), tags, name, api_version, version)


def _check_api_version(text: str) -> None:
    form = _API_VERSION_FORM.fullmatch(text)
    if form is None or int(form[1]) != API_MAJOR or int(form[2]) > API_MINOR:
        raise invalid(version=f"{text!r} is not among {API_MAJOR}.0 to {API_MAJOR}.{API_MINOR}")


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
    if moment - daemon.last_seen_at > OFFLINE_AFTER:
        return "offline"
    return "busy" if is_busy else "idle"


def _job(item: Work) -> DaemonJob:
    return DaemonJob.model_construct(
        id=item.job.id,
        status=status(item.job),
        template_name=item.template_name,
        template_icon=item.template_icon,
        template_display_name=item.template_display_name,
    )
