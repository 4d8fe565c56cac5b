"""What the server says about itself."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from coder_enterprise.server.storage import site_settings
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.wire.buildinfo import VERSION, SDKBuildInfo

DEPLOYMENT_ID: Final = "deployment_id"


class Deployment:
    """`access_url` is how others reach the server; `id` is the same for all its replicas, and for ever."""

    def __init__(self, access_url: str, id: UUID) -> None:  # noqa: A002
        self.access_url = access_url
        self.id = id

    def build_info(self) -> SDKBuildInfo:
        return SDKBuildInfo(
            external_url=self.access_url, version=VERSION, dashboard_url=self.access_url, deployment_id=self.id
        )


def ensure_id(connection: Connection) -> UUID:
    """The deployment's id, made at the first start."""
    known = site_settings.get(connection, DEPLOYMENT_ID)
    if known is not None:
        return UUID(known)
    made = uuid4()
    site_settings.put(connection, DEPLOYMENT_ID, str(made))
    return made
