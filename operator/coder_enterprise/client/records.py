"""What the operator reads of Coder's answers: tolerant of versions, and small.

Used by `client.coder` and by the kinds. The wire models say what a server must send; these take only the
fields that are needed, accept `null` for an empty list, and accept what servers from Coder 2.2 to today leave
out. Ten thousand groups are held as these, so members are ids and nothing more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")


def _null_to_empty(value: Any) -> Any:
    return () if value is None else value


def _ids(value: Any) -> Any:
    return [item["id"] if isinstance(item, dict) else item for item in value or ()]


Many = Annotated[tuple[T, ...], BeforeValidator(_null_to_empty)]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class BuildInfo(Record):
    version: str


class Role(Record):
    name: str


class User(Record):
    id: str
    username: str
    email: str = ""
    status: str = "active"
    organization_ids: Many[str] = ()
    roles: Many[Role] = ()


class UserPage(Record):
    users: Many[User]
    count: int = 0


class Organization(Record):
    id: str
    name: str
    is_default: bool = False


class Group(Record):
    id: str
    name: str
    organization_id: str
    display_name: str = ""
    avatar_url: str = ""
    quota_allowance: int = 0
    source: str = "user"
    member_ids: Annotated[frozenset[str], BeforeValidator(_ids)] = Field(frozenset(), alias="members")

    @property
    def is_everyone(self) -> bool:
        """Everyone is the group that has its organization's id."""
        return self.id == self.organization_id


class Feature(Record):
    entitlement: str
    enabled: bool
    limit: int | None = None
    actual: int | None = None


class Entitlements(Record):
    features: Annotated[dict[str, Feature], BeforeValidator(lambda value: value or {})]
    has_license: bool = False
    trial: bool = False
    errors: Many[str] = ()
    warnings: Many[str] = ()


class Replica(Record):
    id: str
    hostname: str
    region_id: int = 0
    error: str = ""
    database_latency: int = 0
    """Microseconds."""


class License(Record):
    id: int
    uuid: str = ""
    claims: dict[str, Any] = {}


class ProvisionerDaemon(Record):
    id: str
    name: str = ""
    last_seen_at: datetime | None = None
    status: str = ""


class ProxyStatus(Record):
    status: str = "unknown"


class WorkspaceProxy(Record):
    id: str
    name: str
    deleted: bool = False
    healthy: bool = False
    status: ProxyStatus = ProxyStatus()


class ProxyRegions(Record):
    regions: Many[WorkspaceProxy] = ()
