"""What the server says about itself."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from coder_enterprise.server.storage import site_settings
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.wire.buildinfo import SDKBuildInfo

DEPLOYMENT_ID: Final = "deployment_id"
UPGRADE_MESSAGE: Final = (
    "This server implements Coder's Enterprise API and announces {version}: use a client of that release, or let "
    "the server announce another one with CODER_ANNOUNCED_VERSION."
)
"""What Coder's command line shows where its own release is another one; without it, it names a download that is not
here."""


class Deployment:
    """`access_url` is how others reach the server; `id` is the same for all its replicas, and for ever; `version` is
    what it announces."""

    def __init__(self, access_url: str, id: UUID, version: str) -> None:  # noqa: A002
        self.access_url = access_url
        self.id = id
        self.version = version

    def build_info(self) -> SDKBuildInfo:
        return SDKBuildInfo(
            external_url=self.access_url,
            version=self.version,
            dashboard_url=self.access_url,
            upgrade_message=UPGRADE_MESSAGE.format(version=self.version),
            deployment_id=self.id,
        )


def ensure_id(connection: Connection) -> UUID:
    """The deployment's id, made at the first start."""
    known = site_settings.get(connection, DEPLOYMENT_ID)
    if known is not None:
        return UUID(known)
    made = uuid4()
    site_settings.put(connection, DEPLOYMENT_ID, str(made))
    return made
