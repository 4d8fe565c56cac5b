"""Provisioner daemons and the keys that they come with, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.provisioner_jobs import JobStatus

DaemonStatus = Literal["offline", "idle", "busy"]

API_MAJOR: Final = 1
API_MINOR: Final = 20
"""Of what daemons speak, the latest that is known here."""


class NullTime(WireModel):
    time: str
    valid: bool


class ProvisionerDaemon(WireModel):
    """`updated_at` is when the daemon was last seen."""

    id: UUID
    name: str
    created_at: datetime
    updated_at: NullTime
    provisioners: list[str]
    tags: dict[str, str]


class DaemonJob(WireModel):
    id: UUID
    status: JobStatus
    template_name: str = ""
    template_icon: str = ""
    template_display_name: str = ""


class SDKProvisionerDaemon(WireModel):
    id: UUID
    organization_id: UUID
    key_id: UUID
    """One of `RESERVED_KEYS` for a daemon without a key."""
    created_at: datetime
    last_seen_at: datetime
    name: str
    version: str
    api_version: str
    provisioners: list[str]
    tags: dict[str, str]
    key_name: str
    status: DaemonStatus
    current_job: DaemonJob | None
    previous_job: DaemonJob | None


# As in Coder: what a daemon without a key of its own has shown in its place.
USER_AUTH_KEY: Final = UUID("00000000-0000-0000-0000-000000000002")
PSK_KEY: Final = UUID("00000000-0000-0000-0000-000000000003")
RESERVED_KEYS: Final = {USER_AUTH_KEY: "user-auth", PSK_KEY: "psk"}


class CreateProvisionerKeyRequest(WireModel):
    name: str
    tags: dict[str, str] = Field(default_factory=dict)


class CreateProvisionerKeyResponse(WireModel):
    key: str = Field(repr=False)
    """Shown this once."""


class ProvisionerKey(WireModel):
    id: UUID
    created_at: datetime
    organization: UUID
    name: str
    tags: dict[str, str]


class KeyDaemons(WireModel):
    """A key, and the daemons that came with it."""

    key: ProvisionerKey
    daemons: list[SDKProvisionerDaemon]


def _documented(daemons: list[SDKProvisionerDaemon]) -> list[ProvisionerDaemon]:
    return [
        ProvisionerDaemon(
            id=daemon.id,
            name=daemon.name,
            created_at=daemon.created_at,
            updated_at=NullTime(time=daemon.last_seen_at.isoformat().replace("+00:00", "Z"), valid=True),
            provisioners=daemon.provisioners,
            tags=daemon.tags,
        )
        for daemon in daemons
    ]


DAEMONS: Final[Shape[list[SDKProvisionerDaemon]]] = Shape(
    View(list[ProvisionerDaemon], convert=_documented), View(list[SDKProvisionerDaemon])
)
KEY_CREATED: Final[Shape[CreateProvisionerKeyResponse]] = Shape(View(CreateProvisionerKeyResponse, 201))
KEY: Final[Shape[ProvisionerKey]] = Shape(View(ProvisionerKey))
KEY_DAEMONS: Final[Shape[list[KeyDaemons]]] = Shape(View(list[KeyDaemons]))
KEYS: Final[Shape[list[ProvisionerKey]]] = Shape(View(list[ProvisionerKey]))
