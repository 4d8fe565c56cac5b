"""What a CoderUser declares, and what its status says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from coder_enterprise.client.directory import DEFAULT_ORGANIZATION
from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagedStatus, Organization, SecretKey, SecretRef
from coder_enterprise.kinds.machinery.names import NAME, is_one_of
from coder_enterprise.kinds.machinery.schema import Cel, Immutable, KindModel, ListSet

MAX_USERNAME: Final = 32
MAX_NAME: Final = 128
MAX_EMAIL: Final = 254
MAX_ROLES: Final = 32
MAX_SCHEDULE: Final = 96

RESERVED: Final = (
    *("me", "new", "create"),
    # Coder has pages of its own at /users/…, so that a user of such a name cannot be asked for.
    *("first", "login", "logout", "roles", "authmethods", "oauth2", "oidc", "otp", "validate-password"),
)

_UNCHANGED: Final = "cannot change: delete the object with deletionPolicy Retain, and create it anew"


class LoginType(StrEnum):
    OIDC = "oidc"
    GITHUB = "github"
    PASSWORD = "password"  # noqa: S105
    NONE = "none"


class State(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Via(StrEnum):
    API = "API"
    SCIM = "SCIM"


class OnDelete(StrEnum):
    SUSPEND = "Suspend"
    DELETE = "Delete"


class QuietHours(KindModel):
    schedule: Annotated[
        str,
        Field(
            max_length=MAX_SCHEDULE,
            pattern=r"^(CRON_TZ=[A-Za-z0-9_+/-]+ +)?[0-5]?[0-9] +([01]?[0-9]|2[0-3]) +\* +\* +\*$",
        ),
        Cel(
            # An unknown zone ends the evaluation with an error that names it, which refuses the object too.
            "!self.startsWith('CRON_TZ=') || (!self.startsWith('CRON_TZ=Local ') && "
            "timestamp('2000-01-01T00:00:00Z').getHours(self.substring(8, self.indexOf(' '))) >= 0)",
            "the time zone must be an IANA name such as Europe/Berlin",
        ),
    ]
    """When quiet hours begin each day: CRON_TZ=Europe/Berlin 30 2 * * * is half past two in the morning there. Without
    CRON_TZ, in UTC."""


class PasswordSecretRef(SecretRef):
    key: SecretKey = "password"
    """Its key that holds the password. Default: password."""


class UserSpec(ManagedSpec):
    username: Annotated[str, Field(min_length=1, max_length=MAX_USERNAME, pattern=NAME)] | None = None
    """Name in Coder; changing it renames the user. Left out, a new user gets the object's own name, and one who exists
    keeps what they have."""
    email: Annotated[
        str,
        Field(min_length=3, max_length=MAX_EMAIL, pattern=r"^[^@\t-\r ]+@[^@\t-\r ]+$"),
        Immutable(f"Coder never changes an e-mail, so email {_UNCHANGED}"),
    ]
    """Who it is: Coder knows people by their e-mail, and never changes it."""
    name: Annotated[str, Field(max_length=MAX_NAME, pattern=r"^([^\t-\r ](.*[^\t-\r ])?)?$")] | None = None
    """What people call the user; "" clears it. Not shown by Coder below 2.7, where it is only written."""
    login_type: Annotated[LoginType, Immutable(f"loginType {_UNCHANGED}")] | None = None
    """How the user logs in: oidc, github, password, or none for an account that only has tokens. Left out, a new user
    gets oidc, and one who exists keeps what they have. A new user with a password needs passwordSecretRef."""
    password_secret_ref: PasswordSecretRef | None = None
    """The first password of a user who is made with loginType password. It is read for the creation alone: whoever
    has the account changes it in Coder, and it is neither compared nor set again, so that the Secret can go
    afterwards. The Secret must have the label enterprise.coder.com/watch: "true" or the type
    enterprise.coder.com/token."""
    organization: Annotated[
        Organization,
        Immutable(f"organization {_UNCHANGED}"),
    ] = DEFAULT_ORGANIZATION
    """Name or id of the organization in which a new user is made. Default: default, which is the deployment's first
    one."""
    state: State | None = None
    """active, or suspended: the user cannot log in, and keeps all they have. Left out, a new user is active, and one
    who exists stays as they are; with active, whoever is suspended by hand in Coder is let in again."""
    roles: (
        Annotated[
            tuple[Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9]+([-_][A-Za-z0-9]+)*$")], ...],
            Field(max_length=MAX_ROLES),
            ListSet(),
            Cel("!('member' in self)", "every user is a member: leave member out"),
        ]
        | None
    ) = None
    """Roles in the whole deployment, such as user-admin: exactly these. Left out, roles are left alone."""
    quiet_hours: QuietHours | None = None
    """When workspaces may be stopped for maintenance. Left out, they are left alone. Needs a licence."""
    show_quota: bool = False
    """Read the user's workspace quota at each resync, and show it in status.quota: one request per user. Default:
    false."""
    via: Via = Via.API
    """How the user is made, suspended and let in again: API, or SCIM, as an identity provider does; all else goes
    through the API. SCIM needs spec.scimSecretRef of the CoderDeployment. Default: API."""
    on_delete: OnDelete = OnDelete.SUSPEND
    """What deletionPolicy Delete does to a person: Suspend them, or Delete them, which Coder refuses while they have
    workspaces. An object of the same name that comes back recognizes whom it suspended, and lets them in again.
    Default: Suspend."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            f"!has(self.username) || !({is_one_of('self.username', RESERVED)})",
            "username is a word that Coder reserves, such as me, new or first",
            field_path=".username",
        ),
        Cel(
            "!has(self.username) || !self.username.matches('^[0-9A-Fa-f]{32}$')",
            "Coder would take this username for an id",
            field_path=".username",
        ),
        Cel(
            "!has(self.via) || self.via == 'API' || !has(self.loginType) || self.loginType == 'oidc'",
            "SCIM makes users with loginType oidc only",
            field_path=".loginType",
        ),
        Cel(
            "!has(self.via) || self.via == 'API' || !has(self.organization) || self.organization == 'default'",
            "SCIM makes users in the organization default only",
            field_path=".organization",
        ),
        Cel(
            "!has(self.passwordSecretRef) || (has(self.loginType) && self.loginType == 'password')",
            "passwordSecretRef is for users with loginType password",
            field_path=".passwordSecretRef",
        ),
        *ManagedSpec.cel,
        Cel(
            "has(self.organization) == has(oldSelf.organization)",
            f"organization {_UNCHANGED}",
            field_path=".organization",
        ),
    )


class QuotaStatus(KindModel):
    budget: int | None = None
    """Credits per day; -1 is no limit."""
    consumed: int | None = None


class QuietHoursStatus(KindModel):
    schedule: Annotated[str, Field(max_length=MAX_SCHEDULE)] | None = None
    """As Coder writes it."""
    timezone: Annotated[str, Field(max_length=64)] | None = None


class UserStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=64)] | None = None
    """The user's id in Coder."""
    username: Annotated[str, Field(max_length=MAX_USERNAME)] | None = None
    """The user's name in Coder."""
    name: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    """What people call the user; as it was written last, where Coder does not show it."""
    status: Annotated[str, Field(max_length=32)] | None = None
    """active, dormant or suspended. Dormant users are active ones who were not seen for long, or never."""
    quota: QuotaStatus | None = None
    """With spec.showQuota. As of the last resync."""
    quiet_hours: QuietHoursStatus | None = None
    """With spec.quietHours. When they begin next follows from it, and is not here: it would change each day."""
