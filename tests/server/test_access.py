"""Who may do what: the table, asked as the server asks it, and the page that shows it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from coder_enterprise.server import access
from coder_enterprise.server.access import (
    AUDITOR,
    IDENTITY_PROVIDER,
    MEMBER,
    OWNER,
    PROVIDER,
    ROLE_NAMES,
    RULES,
    TEMPLATE_ADMIN,
    USER_ADMIN,
    Action,
    Actor,
    Kind,
    Subject,
    Whom,
    may,
    powers,
    sees,
)
from coder_enterprise.server.errors import Forbidden

PAGE: Final = Path(__file__).parents[2] / "docs/reference/permissions.md"
ROLES: Final = (OWNER, USER_ADMIN, TEMPLATE_ADMIN, AUDITOR, MEMBER)
SOMEBODY: Final = uuid4()
TIES: Final = (Whom.OWN, Whom.SHARED, Whom.ADMINISTERED)
READ, CREATE, UPDATE, DELETE = Action.READ, Action.CREATE, Action.UPDATE, Action.DELETE

# Who may do it to what is somebody else's and shared with nobody: o(wner), u(ser-admin), t(emplate-admin),
# a(uditor), m(ember). Then who else may, and how they are tied to it.
EXPECTED: Final[dict[tuple[Kind, Action], tuple[str, set[Whom]]]] = {
    (Kind.USER, READ): ("outa", {Whom.OWN}),
    (Kind.USER, CREATE): ("ou", set()),
    (Kind.USER, UPDATE): ("ou", {Whom.OWN}),
    (Kind.USER, DELETE): ("ou", set()),
    (Kind.USER, Action.SUSPEND): ("ou", set()),
    (Kind.USER, Action.ASSIGN): ("o", set()),
    (Kind.MEMBERSHIP, CREATE): ("ou", set()),
    (Kind.MEMBERSHIP, DELETE): ("ou", set()),
    (Kind.MEMBERSHIP, Action.ASSIGN): ("ou", set()),
    (Kind.GROUP, READ): ("outa", {Whom.SHARED}),
    (Kind.GROUP, CREATE): ("ou", set()),
    (Kind.GROUP, UPDATE): ("ou", set()),
    (Kind.GROUP, DELETE): ("ou", set()),
    (Kind.LICENSE, READ): ("o", set()),
    (Kind.LICENSE, CREATE): ("o", set()),
    (Kind.LICENSE, UPDATE): ("o", set()),
    (Kind.LICENSE, DELETE): ("o", set()),
    (Kind.APPEARANCE, UPDATE): ("o", set()),
    (Kind.TEMPLATE, READ): ("ota", {Whom.SHARED, Whom.ADMINISTERED}),
    (Kind.TEMPLATE, CREATE): ("ot", set()),
    (Kind.TEMPLATE, UPDATE): ("ot", {Whom.ADMINISTERED}),
    (Kind.TEMPLATE, DELETE): ("ot", {Whom.ADMINISTERED}),
    (Kind.TEMPLATE_VERSION, READ): ("ota", {Whom.OWN}),
    (Kind.TEMPLATE_VERSION, CREATE): ("ot", set()),
    (Kind.TEMPLATE_VERSION, UPDATE): ("ot", {Whom.OWN}),
    (Kind.FILE, READ): ("ot", {Whom.OWN}),
    (Kind.FILE, CREATE): ("", {Whom.OWN}),
    (Kind.WORKSPACE, READ): ("ot", {Whom.OWN}),
    (Kind.WORKSPACE, CREATE): ("o", {Whom.OWN}),
    (Kind.WORKSPACE, UPDATE): ("o", {Whom.OWN}),
    (Kind.WORKSPACE_BUILD, Action.CANCEL): ("o", {Whom.SHARED}),
    (Kind.API_KEY, READ): ("o", {Whom.OWN}),
    (Kind.API_KEY, CREATE): ("o", {Whom.OWN}),
    (Kind.API_KEY, DELETE): ("o", {Whom.OWN}),
    (Kind.SSH_KEY, READ): ("o", {Whom.OWN}),
    (Kind.SSH_KEY, UPDATE): ("o", {Whom.OWN}),
    (Kind.AUDIT_LOG, READ): ("oa", set()),
    (Kind.DEPLOYMENT, READ): ("oa", set()),
    (Kind.PROXY, READ): ("o", set()),
    (Kind.PROXY, CREATE): ("o", set()),
    (Kind.PROXY, UPDATE): ("o", set()),
    (Kind.PROXY, DELETE): ("o", set()),
    (Kind.REPLICA, READ): ("o", set()),
    (Kind.PROVISIONER_KEY, READ): ("ot", set()),
    (Kind.PROVISIONER_KEY, CREATE): ("ot", set()),
    (Kind.PROVISIONER_KEY, DELETE): ("ot", set()),
    (Kind.PROVISIONER_DAEMON, CREATE): ("ot", {Whom.OWN}),
    (Kind.PROVISIONER_JOB, READ): ("ot", set()),
}

# Whom each role may change, suspend, delete, and add to and remove from organizations.
LESSER: Final = {
    OWNER: set(ROLES),
    USER_ADMIN: {USER_ADMIN, MEMBER},
    TEMPLATE_ADMIN: set[str](),
    AUDITOR: set[str](),
    MEMBER: set[str](),
}


def actor(*roles: str, status: str = "active", deleted: bool = False) -> Actor:
    return Actor(uuid4(), "ann", frozenset(roles), status, deleted, "abcdefghij")


def assigned(role: str) -> frozenset[str]:
    return frozenset({role} - {MEMBER})


def tied(kind: Kind, how: Whom, who: Actor) -> Subject:
    return Subject(kind, who.id) if how == Whom.OWN else Subject(kind, SOMEBODY, ties=frozenset({how}))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_and_nothing_else(role: str) -> None:
    who = actor(role)
    for kind, action in itertools.product(Kind, Action):
        letters, ties = EXPECTED.get((kind, action), ("", set()))
        assert may(who, action, Subject(kind, SOMEBODY)) == (role[0] in letters), (kind, action)
        for how in TIES:
            assert may(who, action, tied(kind, how, who)) == (role[0] in letters or how in ties), (kind, action, how)


@pytest.mark.parametrize("who", [actor(*ROLE_NAMES, status="suspended"), actor(*ROLE_NAMES, deleted=True)])
def test_who_is_suspended_or_deleted_may_nothing(who: Actor) -> None:
    asked = itertools.product(Kind, Action, TIES)
    assert not any(may(who, action, tied(kind, how, who)) for kind, action, how in asked)


@pytest.mark.parametrize("role", ROLES)
def test_who_is_dormant_may_what_they_may_when_active(role: str) -> None:
    dormant, active = actor(role, status="dormant"), actor(role)
    for kind, action in EXPECTED:
        assert may(dormant, action, Subject(kind)) == may(active, action, Subject(kind))


@pytest.mark.parametrize("role", ROLES)
def test_one_may_change_only_whose_powers_are_ones_own(role: str) -> None:
    who = actor(*assigned(role))
    people, memberships = (Kind.USER, (UPDATE, Action.SUSPEND, DELETE)), (Kind.MEMBERSHIP, (CREATE, DELETE))
    for other, (kind, actions) in itertools.product(ROLES, (people, memberships)):
        subject = Subject(kind, SOMEBODY, assigned(other))
        assert {may(who, action, subject) for action in actions} == {other in LESSER[role]}, (kind, other)


def test_powers_add_up() -> None:
    both = actor(USER_ADMIN, AUDITOR)
    assert may(both, UPDATE, Subject(Kind.USER, SOMEBODY, frozenset({AUDITOR})))
    assert not may(both, UPDATE, Subject(Kind.USER, SOMEBODY, frozenset({AUDITOR, TEMPLATE_ADMIN})))


def test_an_owner_has_every_power_that_a_role_gives() -> None:
    assert powers(ROLE_NAMES) == powers([OWNER])


@pytest.mark.parametrize(
    ("other", "changes", "suspends"),
    [(MEMBER, True, True), (USER_ADMIN, True, True), (AUDITOR, False, True), (OWNER, False, False)],
)
def test_the_identity_provider_lets_everybody_but_owners_go(other: str, changes: bool, suspends: bool) -> None:
    subject = Subject(Kind.USER, SOMEBODY, assigned(other))
    assert sees(IDENTITY_PROVIDER, subject)
    assert may(IDENTITY_PROVIDER, UPDATE, subject) == changes
    assert may(IDENTITY_PROVIDER, Action.SUSPEND, subject) == suspends
    assert not may(IDENTITY_PROVIDER, Action.ASSIGN, subject)


def test_who_may_not_is_told_what_and_whom() -> None:
    with pytest.raises(Forbidden) as refused:
        access.require(actor(), UPDATE, Subject(Kind.GROUP))
    assert refused.value.detail == "Your roles do not let you change groups."
    with pytest.raises(Forbidden) as refused:
        access.require(actor(USER_ADMIN), UPDATE, Subject(Kind.USER, SOMEBODY, frozenset({OWNER})))
    assert refused.value.detail == "Your roles do not let you change users who have powers that you do not have."


def test_the_identity_provider_has_no_account() -> None:
    who = actor()
    assert (IDENTITY_PROVIDER.account, who.account) == (None, who.id)


def test_the_page_shows_the_table() -> None:
    shown: dict[str, list[set[str]]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] not in ("to", "---"):
            shown[cells[0]] = [set(filter(None, cell.split(", "))) for cell in cells[1:]]
    columns = [{OWNER}, {USER_ADMIN}, {TEMPLATE_ADMIN}, {AUDITOR}, {MEMBER}, {USER_ADMIN, PROVIDER}]
    table: dict[str, list[set[str]]] = defaultdict(lambda: [set() for _ in columns])
    for rule in RULES:
        for action, (number, roles) in itertools.product(rule.actions, enumerate(columns)):
            if rule.roles & roles:
                table[f"{action} {rule.kind}"][number].add(str(rule.whom))
    assert shown == table
