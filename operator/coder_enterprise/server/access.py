"""Who may do what, and who sees what: one table, and the two questions that are asked of it.

Every layer of the server may ask. Nothing here looks anything up: whoever asks brings the actor as it is inside the
transaction (`storage.database`), and what ties the actor to the subject. Roles are Coder's; that people can be changed
only by those who have all their powers is this server's own rule, and holds for every route.
`docs/reference/permissions.md` shows the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from coder_enterprise.server.errors import Forbidden

OWNER: Final = "owner"
USER_ADMIN: Final = "user-admin"
TEMPLATE_ADMIN: Final = "template-admin"
AUDITOR: Final = "auditor"
MEMBER: Final = "member"
PROVIDER: Final = "identity-provider"
"""Who comes with the key for SCIM. No user has this role."""

ROLE_NAMES: Final[Mapping[str, str]] = {
    OWNER: "Owner",
    USER_ADMIN: "User Admin",
    TEMPLATE_ADMIN: "Template Admin",
    AUDITOR: "Auditor",
}
"""The site roles that can be assigned, with what people see. Everybody is a member, which is never listed."""


class Action(StrEnum):
    READ = "see"
    CREATE = "create"
    UPDATE = "change"
    DELETE = "delete"
    SUSPEND = "suspend or activate"
    ASSIGN = "assign the roles of"
    CANCEL = "cancel"


class Kind(StrEnum):
    """Of subjects."""

    USER = "users"
    MEMBERSHIP = "members of organizations"
    GROUP = "groups"
    LICENSE = "licences"
    APPEARANCE = "the appearance"
    TEMPLATE = "templates"
    TEMPLATE_VERSION = "template versions"
    """Those that belong to no template yet."""
    FILE = "files"
    WORKSPACE = "workspaces"
    WORKSPACE_BUILD = "builds of workspaces"
    API_KEY = "API keys"
    SSH_KEY = "SSH keys for Git"
    AUDIT_LOG = "the audit log"
    DEPLOYMENT = "the deployment's statistics"
    PROXY = "workspace proxies"
    REPLICA = "replicas"
    PROVISIONER_KEY = "provisioner keys"
    PROVISIONER_DAEMON = "provisioner daemons"
    PROVISIONER_JOB = "provisioner jobs"
    """All of an organization: one's own are part of what they are for."""


class Whom(StrEnum):
    """Which subjects of its kind a rule is about, seen from the actor."""

    ANY = "any"
    OWN = "own"
    """The actor's; of users, the actor."""
    LESSER = "lesser"
    """People none of whose powers the actor lacks, and what is theirs."""
    NOT_OWNERS = "not owners"
    SHARED = "shared"
    """A group that the actor is in, a template whose ACL has the actor, a build that its template lets users cancel."""
    ADMINISTERED = "administered"
    """A template whose ACL makes the actor its admin."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts."""

    id: UUID
    username: str
    roles: frozenset[str]
    status: str = "active"
    deleted: bool = False
    key_id: str = ""
    """Of the session token that was sent; "" for the identity provider, who has none."""
    scopes: frozenset[str] | None = None
    """What the token is narrowed to (`scopes`); None is nothing: it may do all that its user may."""

    @property
    def account(self) -> UUID | None:
        """The user's id, as the audit log knows it; None for the identity provider."""
        return self.id if self.key_id else None


IDENTITY_PROVIDER: Final = Actor(UUID(int=0), "", frozenset({USER_ADMIN, PROVIDER}))
"""It may do what a user-admin may, and suspend and bring back everybody but owners: who leaves the company has to
lose access whatever their role, and gains nothing when they return."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What something is done to; without an owner and ties, anything of that kind."""

    kind: Kind
    owner_id: UUID | None = None
    """Whose it is; of a user, that user."""
    roles: frozenset[str] = frozenset()
    """Of the user that it is, or that it is about."""
    ties: frozenset[Whom] = frozenset()
    """`SHARED` and `ADMINISTERED`, where they hold for the actor."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who has one of the roles may do the actions to those subjects."""

    kind: Kind
    actions: tuple[Action, ...]
    roles: frozenset[str]
    whom: Whom = Whom.ANY


def _rule(kind: Kind, actions: Iterable[Action], roles: Iterable[str], whom: Whom = Whom.ANY) -> Rule:
    return Rule(kind, tuple(actions), frozenset(roles), whom)


_READ: Final = (Action.READ,)
_WRITE: Final = (Action.CREATE, Action.UPDATE, Action.DELETE)
_ALL: Final = (*_READ, *_WRITE)
_STAFF: Final = (OWNER, USER_ADMIN, TEMPLATE_ADMIN, AUDITOR)

RULES: Final = (
    _rule(Kind.USER, _READ, _STAFF),
    _rule(Kind.USER, (Action.CREATE,), (OWNER, USER_ADMIN)),
    _rule(Kind.USER, (Action.UPDATE, Action.SUSPEND, Action.DELETE), (OWNER, USER_ADMIN), Whom.LESSER),
    _rule(Kind.USER, (Action.SUSPEND,), (PROVIDER,), Whom.NOT_OWNERS),
    _rule(Kind.USER, (Action.ASSIGN,), (OWNER,)),
    _rule(Kind.USER, (Action.READ, Action.UPDATE), (MEMBER,), Whom.OWN),
    _rule(Kind.MEMBERSHIP, (Action.CREATE, Action.DELETE, Action.ASSIGN), (OWNER, USER_ADMIN), Whom.LESSER),
    _rule(Kind.GROUP, _READ, _STAFF),
    _rule(Kind.GROUP, _READ, (MEMBER,), Whom.SHARED),
    _rule(Kind.GROUP, _WRITE, (OWNER, USER_ADMIN)),
    _rule(Kind.LICENSE, _ALL, (OWNER,)),
    _rule(Kind.APPEARANCE, (Action.UPDATE,), (OWNER,)),
    _rule(Kind.TEMPLATE, _READ, (OWNER, TEMPLATE_ADMIN, AUDITOR)),
    _rule(Kind.TEMPLATE, _READ, (MEMBER,), Whom.SHARED),
    _rule(Kind.TEMPLATE, _WRITE, (OWNER, TEMPLATE_ADMIN)),
    _rule(Kind.TEMPLATE, (Action.READ, Action.UPDATE, Action.DELETE), (MEMBER,), Whom.ADMINISTERED),
    _rule(Kind.TEMPLATE_VERSION, _READ, (OWNER, TEMPLATE_ADMIN, AUDITOR)),
    _rule(Kind.TEMPLATE_VERSION, (Action.CREATE, Action.UPDATE), (OWNER, TEMPLATE_ADMIN)),
    _rule(Kind.TEMPLATE_VERSION, (Action.READ, Action.UPDATE), (MEMBER,), Whom.OWN),
    _rule(Kind.FILE, _READ, (OWNER, TEMPLATE_ADMIN)),
    _rule(Kind.FILE, (Action.READ, Action.CREATE), (MEMBER,), Whom.OWN),
    _rule(Kind.WORKSPACE, _READ, (OWNER, TEMPLATE_ADMIN)),
    _rule(Kind.WORKSPACE, (Action.CREATE, Action.UPDATE), (OWNER,)),
    _rule(Kind.WORKSPACE, (Action.READ, Action.CREATE, Action.UPDATE), (MEMBER,), Whom.OWN),
    _rule(Kind.WORKSPACE_BUILD, (Action.CANCEL,), (OWNER,)),
    _rule(Kind.WORKSPACE_BUILD, (Action.CANCEL,), (MEMBER,), Whom.SHARED),
    _rule(Kind.API_KEY, (Action.READ, Action.CREATE, Action.DELETE), (OWNER,)),
    _rule(Kind.API_KEY, (Action.READ, Action.CREATE, Action.DELETE), (MEMBER,), Whom.OWN),
    _rule(Kind.SSH_KEY, (Action.READ, Action.UPDATE), (OWNER,)),
    _rule(Kind.SSH_KEY, (Action.READ, Action.UPDATE), (MEMBER,), Whom.OWN),
    _rule(Kind.AUDIT_LOG, _READ, (OWNER, AUDITOR)),
    _rule(Kind.DEPLOYMENT, _READ, (OWNER, AUDITOR)),
    _rule(Kind.PROXY, _ALL, (OWNER,)),
    _rule(Kind.REPLICA, _READ, (OWNER,)),
    _rule(Kind.PROVISIONER_KEY, (Action.READ, Action.CREATE, Action.DELETE), (OWNER, TEMPLATE_ADMIN)),
    _rule(Kind.PROVISIONER_DAEMON, (Action.CREATE,), (OWNER, TEMPLATE_ADMIN)),
    _rule(Kind.PROVISIONER_DAEMON, (Action.CREATE,), (MEMBER,), Whom.OWN),
    _rule(Kind.PROVISIONER_JOB, _READ, (OWNER, TEMPLATE_ADMIN)),
)
"""Nothing else is allowed to anybody."""


def _indexed(rules: Iterable[Rule]) -> Mapping[tuple[Kind, Action], list[Rule]]:
    index: dict[tuple[Kind, Action], list[Rule]] = defaultdict(list)
    for rule in rules:
        for action in rule.actions:
            index[rule.kind, action].append(rule)
    return dict(index)


_INDEX: Final = _indexed(RULES)
_POWERS: Final[Mapping[str, frozenset[tuple[Kind, Action]]]] = {
    role: frozenset((rule.kind, action) for rule in RULES if role in rule.roles for action in rule.actions)
    for role in ROLE_NAMES
}
"""What each role adds to what everybody may."""


def may(actor: Actor, action: Action, subject: Subject) -> bool:
    """Whether the actor may do it. Who is suspended or deleted may nothing; who is dormant becomes active by acting."""
    if actor.deleted or actor.status == "suspended":
        return False
    return any(
        (MEMBER in rule.roles or not rule.roles.isdisjoint(actor.roles)) and _is_about(rule.whom, actor, subject)
        for rule in _INDEX.get((subject.kind, action), ())
    )


def sees(actor: Actor, subject: Subject) -> bool:
    """Whether the actor may know of it; to whom it is hidden, it does not exist."""
    return may(actor, Action.READ, subject)


def require(actor: Actor, action: Action, subject: Subject) -> None:
    """Raises `Forbidden`."""
    if may(actor, action, subject):
        return
    detail = f"Your roles do not let you {action} {subject.kind}."
    if subject.roles and may(actor, action, Subject(subject.kind)):
        detail = f"Your roles do not let you {action} {subject.kind} who have powers that you do not have."
    raise Forbidden("You are not allowed to do this.", detail)


def _is_about(whom: Whom, actor: Actor, subject: Subject) -> bool:
    match whom:
        case Whom.ANY:
            return True
        case Whom.OWN:
            return subject.owner_id == actor.id
        case Whom.LESSER:
            return powers(subject.roles) <= powers(actor.roles)
        case Whom.NOT_OWNERS:
            return OWNER not in subject.roles
        case Whom.SHARED | Whom.ADMINISTERED:
            return whom in subject.ties


def powers(roles: Iterable[str]) -> frozenset[tuple[Kind, Action]]:
    """All that these roles together add to what everybody may."""
    return frozenset().union(*(_POWERS.get(role, frozenset()) for role in roles))
