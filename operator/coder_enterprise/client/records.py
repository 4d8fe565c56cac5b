"""What the operator reads of Coder's answers: tolerant of versions, and small.

Used by `client.coder` and by the kinds. The wire models say what a server must send; these take only the
fields that are needed, accept `null` for an empty list, and accept what servers from Coder 2.2 to today leave
out. Ten thousand groups are held as these, so members are ids and nothing more.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.dataclasses import dataclass

T = TypeVar("T")
V = TypeVar("V", bound=Hashable)

SMALL: Final = ConfigDict(extra="ignore", validate_by_name=True)
"""Of records that are held by the ten thousand, as dataclasses with slots: a model has a dictionary and a set more."""
SAME: Final = 256
"""How many small values are remembered, to share the next equal one."""
NOBODY: Final[frozenset[str]] = frozenset()


def _null_to_empty(value: Any) -> Any:
    return () if value is None else value


def _null_to_no_entries(value: Any) -> Any:
    return {} if value is None else value


def _ids(value: Any) -> Any:
    """Of whole users, or as they are: what has no id is left for the type to refuse."""
    if not isinstance(value, (list, tuple)):
        return () if value is None else value
    return [item.get("id") if isinstance(item, dict) else item for item in value]


Many = Annotated[tuple[T, ...], BeforeValidator(_null_to_empty)]
Map = Annotated[dict[str, T], BeforeValidator(_null_to_no_entries)]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


Shared = Annotated[str, AfterValidator(intern)]
"""A text that many records have: kept once."""


@lru_cache(SAME)
def _one(value: V) -> V:
    """The equal value that came before, if it is remembered still."""
    return value


def _nobody(value: frozenset[str]) -> frozenset[str]:
    return value or NOBODY


class Done(Record):
    """What Coder says when it is done and has nothing to show."""

    message: str


class BuildInfo(Record):
    version: str


@dataclass(frozen=True, slots=True, config=SMALL)
class Role:
    name: Shared
    organization_id: Shared = ""
    """Of a role in one organization only."""


@dataclass(frozen=True, slots=True, config=SMALL)
class User:
    id: Shared
    username: str
    email: str = ""
    status: Shared = "active"
    """active, suspended, or dormant: whoever has not been seen for long, or never."""
    organization_ids: Annotated[Many[Shared], AfterValidator(_one)] = ()
    roles: Annotated[Many[Role], AfterValidator(_one)] = ()
    login_type: Shared = ""
    name: str | None = None
    """What people call the user; None where the server does not tell: below Coder 2.7, or in the documented profile."""

    @property
    def site_roles(self) -> frozenset[str]:
        """Everybody is a member, which some servers list and others do not."""
        return frozenset(role.name for role in self.roles if not role.organization_id) - {"member"}

    @property
    def is_suspended(self) -> bool:
        return self.status == "suspended"


class UserPage(Record):
    users: Many[User]
    count: int = 0


class APIKey(Record):
    id: str
    expires_at: AwareDatetime


class QuietHours(Record):
    raw_schedule: str
    user_set: bool = False
    """Chosen for this user; else it is the deployment's."""
    timezone: str = ""
    user_can_set: bool = True
    """From Coder 2.6."""


class Quota(Record):
    budget: int
    """Credits per day; -1 is no limit."""
    credits_consumed: int = 0


class SCIMUser(Record):
    id: str


class Organization(Record):
    id: str
    name: str
    is_default: bool = False


@dataclass(frozen=True, slots=True, config=SMALL)
class Group:
    id: str
    name: str
    organization_id: Shared
    display_name: Shared = ""
    avatar_url: Shared = ""
    quota_allowance: int = 0
    source: Shared = "user"
    member_ids: Annotated[frozenset[Shared], BeforeValidator(_ids), AfterValidator(_nobody)] = Field(
        default=NOBODY, validation_alias="members"
    )

    @property
    def is_everyone(self) -> bool:
        """Everyone is the group that has its organization's id."""
        return self.id == self.organization_id


class Template(Record):
    id: str
    name: str
    organization_id: str


class ACLEntry(Record):
    """One user or group that has a role on a template."""

    id: str
    role: str
    """use, admin, or "" for permissions that are neither."""
    name: str = Field("", validation_alias=AliasChoices("email", "username", "name"))


class TemplateACL(Record):
    users: Many[ACLEntry] = ()
    group: Many[ACLEntry] | None = ()
    """None when the server does not tell: documented is a list of the users, real an object that has both."""

    @model_validator(mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        return {"users": value, "group": None} if isinstance(value, list) else value


class Feature(Record):
    entitlement: str
    enabled: bool
    limit: int | None = None
    actual: int | None = None


class Entitlements(Record):
    features: Map[Feature]
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
    claims: Map[Any] = {}


class Banner(Record):
    enabled: bool = False
    message: str = ""
    background_color: str = ""


class SupportLink(Record):
    name: str = ""


class Appearance(Record):
    """With the fields that only a newer Coder has, which an update must repeat."""

    model_config = ConfigDict(frozen=True, extra="allow")

    application_name: str = ""
    logo_url: str = ""
    service_banner: Annotated[Banner, BeforeValidator(_null_to_no_entries)] = Banner()
    announcement_banners: Many[Banner] = ()
    """From Coder 2.12."""
    support_links: Many[SupportLink] = ()

    @property
    def has_announcements(self) -> bool:
        """The server knows more than one banner."""
        return "announcement_banners" in self.model_fields_set

    @property
    def banners(self) -> tuple[Banner, ...]:
        """All of them, also those that are switched off."""
        if self.has_announcements:
            return self.announcement_banners
        return () if self.service_banner == Banner() else (self.service_banner,)

    @property
    def is_default(self) -> bool:
        """Nobody ever set it, or the server does not show it."""
        return not (self.application_name or self.logo_url or self.banners)


class NullTime(Record):
    """A moment as Go's database library writes it; the capitals are real, the small letters documented."""

    time: AwareDatetime | None = Field(None, validation_alias=AliasChoices("Time", "time"))
    valid: bool = Field(False, validation_alias=AliasChoices("Valid", "valid"))


class ProvisionerDaemon(Record):
    id: str
    name: str = ""
    last_seen_at: AwareDatetime | None = None
    """From Coder 2.5."""
    updated_at: NullTime | None = None
    """Below Coder 2.6."""
    status: str = ""

    @property
    def heard_at(self) -> datetime | None:
        """The last sign of life, as far as the server tells."""
        if self.last_seen_at is not None:
            return self.last_seen_at
        return self.updated_at.time if self.updated_at and self.updated_at.valid else None


class ProvisionerJob(Record):
    """What a provisioner has to do, or does."""

    id: str
    created_at: AwareDatetime
    status: str
    available_workers: tuple[str, ...] | None = None
    """Daemons that may do it; None where the server does not tell."""
