"""Who may serve as a daemon: one comes with a provisioner key, with a user's session, or with the pre-shared key.

A daemon that is admitted is registered and served by `daemon_sessions`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor
from coder_enterprise.server.errors import (
    BadRequest,
    Forbidden,
    Unauthorized,
    invalid,
)
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.services import references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.services.provisioning.provisioner_keys import hash_key
from coder_enterprise.server.services.provisioning.serving import Serving, daemons_of
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.failures import SessionEnded
from coder_enterprise.server.storage.provisioning import provisioner_keys
from coder_enterprise.server.storage.provisioning.provisioner_daemons import ProvisionerDaemon
from coder_enterprise.wire.provisioner_daemons import API_MAJOR, API_MINOR
from coder_enterprise.wire.provisioner_jobs import PROVISIONERS

MAX_NAME: Final = 64
MAX_VERSION: Final = 128
DEFAULT_API_VERSION: Final = "1.0"

_API_VERSION_FORM: Final = re.compile(r"(\d{1,4})\.(\d{1,4})")


@dataclass(frozen=True)
class Introduction:
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
    """An introduction that can be read."""

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


class Admission:
    """`psk` is the pre-shared key; "" is none."""

    def __init__(self, database: Database, sessions: Sessions, entitlements: Entitlements, psk: str) -> None:
        self._database = database
        self._sessions = sessions
        self._entitlements = entitlements
        self._psk = psk

    async def admit(self, organization: str, introduction: Introduction, credentials: Credentials) -> Serving:
        """The daemon that may serve; it is not registered yet.

        Raises `Forbidden` without a licence, `BadRequest`, `Unauthorized`, `Forbidden` and `NotFound`, in that order.
        """
        self._entitlements.require(Feature.EXTERNAL_PROVISIONER_DAEMONS)
        offer = _read(introduction)
        admitted = await self._authorize(offer, credentials)
        job_tags.check(admitted.tags, "tag")
        home = await self._database.read(lambda connection: references.organization(connection, organization))
        if admitted.key is not None and admitted.key.organization_id != home.id:
            raise Forbidden("The provisioner key belongs to another organization.")
        moment = now()
        daemon = ProvisionerDaemon(
            id=uuid4(),
            organization_id=home.id,
            name=offer.name,
            owner=admitted.tags[job_tags.OWNER],
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

    async def _authorize(self, offer: _Offer, credentials: Credentials) -> _Admitted:
        """A user may run a daemon for their own jobs; for everybody's it takes a role, a key or the pre-shared key."""
        if credentials.key:
            return await self._with_key(offer, credentials)
        refusal: Refused = Unauthorized("No session token, provisioner key or pre-shared key was sent.")
        if credentials.session:
            try:
                return await self._with_session(offer, credentials.session)
            except (SessionEnded, Unauthorized, Forbidden) as error:
                refusal = error
        if credentials.psk:
            if self._psk and hmac.compare_digest(credentials.psk.encode(), self._psk.encode()):
                return _Admitted("psk", job_tags.for_organization(offer.tags))
            if not credentials.session:
                refusal = Unauthorized("The pre-shared key is wrong, or this server has none.")
        raise refusal

    async def _with_session(self, offer: _Offer, token: str) -> _Admitted:
        actor = await self._sessions.authenticate(token)
        tags = job_tags.normalized(offer.tags, actor.id)
        access.require(actor, Action.CREATE, daemons_of(tags[job_tags.OWNER]))
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


def _read(introduction: Introduction) -> _Offer:
    """Raises `BadRequest`."""
    tags = job_tags.parse(introduction.tags)
    if not introduction.provisioners:
        raise invalid(provisioner=f"is required: one or more of {', '.join(PROVISIONERS)}")
    unknown = [name for name in introduction.provisioners if name not in PROVISIONERS]
    if unknown:
        raise invalid(provisioner=f"{unknown[0]!r} is not one of {', '.join(PROVISIONERS)}")
    given_id = names.as_uuid(introduction.id) if introduction.id else uuid4()
    if given_id is None:
        raise invalid(id="must be a UUID")
    name = introduction.name or f"provisioner-{given_id.hex[:12]}"
    if problem := names.text_problem(name, MAX_NAME):
        raise invalid(name=problem)
    api_version = introduction.api_version or DEFAULT_API_VERSION
    _check_api_version(api_version)
    version = introduction.version.replace("\0", "")[:MAX_VERSION]
    return _Offer(sorted(set(introduction.provisioners)), tags, name, api_version, version)


def _check_api_version(text: str) -> None:
    form = _API_VERSION_FORM.fullmatch(text)
    if form is None or int(form[1]) != API_MAJOR or int(form[2]) > API_MINOR:
        raise invalid(version=f"{text!r} is not among {API_MAJOR}.0 to {API_MAJOR}.{API_MINOR}")
