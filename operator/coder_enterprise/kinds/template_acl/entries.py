"""The entries of an ACL: who is to have which role, who is shown to have it, and what this object gave.

What changes is decided here, what of it is remembered, and how it is sent; nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from coder_enterprise.client import records
from coder_enterprise.kinds.group import EVERYONE, MAX_NAME
from coder_enterprise.kinds.machinery.changes import DRIFT, SUBJECT_GONE, Action, Change
from coder_enterprise.kinds.template_acl.spec import AppliedEntry, Everyone, Role
from coder_enterprise.wire.template_acls import UpdateTemplateACLRequest

Applied = Mapping[str, AppliedEntry]
"""By id."""

ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"
DELETED: Final = "deleted"
UNSURE: Final = "unsure"
"""What was recorded before a write, of which nobody knows yet whether it arrived."""

USERS: Final = "spec.users"
GROUPS: Final = "spec.groups"
EVERYBODY: Final = "spec.everyone"
FIELDS: Final = {USERS: "appliedUsers", GROUPS: "appliedGroups"}
_RANKS: Final[Mapping[str, int]] = {"use": 1, "admin": 2}
_MAX_LABEL: Final = MAX_NAME


@dataclass(frozen=True)
class Side:
    """The users of an ACL, or its groups but for Everyone: roles by id."""

    path: str
    wanted: Mapping[str, str] | None
    """None: unmanaged."""
    shown: Mapping[str, str]
    """What Coder shows."""
    names: Mapping[str, str]
    states: Mapping[str, str] | None
    """The status of each user; None for groups, which have none."""

    def state(self, subject: str) -> str:
        return ACTIVE if self.states is None else self.states.get(subject, DELETED)

    def label(self, subject: str) -> str:
        return self.names.get(subject, subject)[:_MAX_LABEL]

    def now(self, subject: str, applied: Applied) -> str | None:
        """The role in Coder: as it is shown, or as it was applied where Coder is known not to show it."""
        entry = applied.get(subject)
        if subject in self.shown or entry is None or entry.hidden == UNSURE:
            return self.shown.get(subject)
        # Who is found hidden once is believed to be so while the status stays: nothing is written over and over.
        hidden = self.state(subject) == SUSPENDED or entry.hidden == self.state(subject)
        return entry.role if hidden else None

    def may_hide(self, entry: AppliedEntry) -> bool:
        """Coder may have this entry although it does not show it."""
        return entry.id not in self.shown and (bool(entry.hidden) or self.state(entry.id) != ACTIVE)


def with_shown(side: Side, entries: Iterable[records.ACLEntry]) -> Side:
    listed = {entry.id: entry for entry in entries}
    return replace(
        side,
        shown={key: entry.role for key, entry in listed.items()},
        names={**{key: entry.name for key, entry in listed.items() if entry.name}, **side.names},
    )


def of_template(recorded: Mapping[str, Any], template_id: str) -> Mapping[str, Any]:
    """What status has recorded of this very template, and not of one that had the same name."""
    return recorded if recorded.get("templateID") in {None, template_id} else {}


def applied_entries(recorded: Mapping[str, Any], path: str, but: str = "") -> dict[str, AppliedEntry]:
    entries = (AppliedEntry.model_validate(item) for item in recorded.get(FIELDS[path]) or ())
    return {entry.id: entry for entry in entries if entry.id != but}


def dump_entries(entries: Applied) -> list[dict[str, Any]] | None:
    return [entries[key].dump() for key in sorted(entries)] or None


def greater(known: str | None, role: str) -> str:
    return role if rank(role) > rank(known) else str(known)


def rank(role: str | int | None) -> int:
    return _RANKS.get(str(role), 0)


def grants(side: Side, wanted: Mapping[str, str], applied: Applied, *, additive: bool) -> list[Change]:
    changes = []
    for subject in sorted(wanted):
        role, current = wanted[subject], side.now(subject, applied)
        path = f"{side.path}[{side.label(subject)}]"
        entry = applied.get(subject)
        # A greater role is kept in mode Additive, unless it is this object that gave it.
        theirs = additive and rank(current) > rank(role) and not (entry and entry.role == current)
        if current is None:
            changes.append(Change(Action.ADD, path, after=role, subject=subject))
        elif current != role and not theirs:
            changes.append(Change(Action.UPDATE, path, current, role, subject=subject))
    return changes


def revocations(side: Side, wanted: Mapping[str, str], applied: Applied, *, additive: bool) -> list[Change]:
    hidden = {entry.id for entry in applied.values() if side.may_hide(entry)}
    if additive:
        surplus = hidden | {key for key, entry in applied.items() if side.shown.get(key) == entry.role}
    else:
        surplus = hidden | set(side.shown)
    changes = []
    for subject in sorted(surplus - set(wanted)):
        entry = applied.get(subject)
        current = side.shown.get(subject, entry.role if entry else None)
        back = entry.replaced if additive and entry else None
        path = f"{side.path}[{side.label(subject)}]"
        event = SUBJECT_GONE if entry else DRIFT
        if back:
            changes.append(Change(Action.UPDATE, path, current, back, subject=subject, event=event))
        else:
            changes.append(Change(Action.REMOVE, path, before=current, subject=subject, event=event))
    return changes


def retractions(recorded: Mapping[str, Any], acl: records.TemplateACL, *, additive: bool) -> list[Change]:
    """What deletion takes away. With `additive`, what others have changed since is theirs."""
    changes: list[Change] = []
    for path, entries in ((USERS, acl.users), (GROUPS, acl.group or ())):
        # Whom the server does not show may be there all the same.
        states: dict[str, str] | None = {} if path == USERS else None
        side = with_shown(Side(path, {}, {}, {}, states), entries)
        applied = applied_entries(recorded, path)
        kept = {} if additive else {key: role for key, role in side.shown.items() if key not in applied}
        changes += revocations(side, kept, applied, additive=additive)
    return changes


def gives(change: Change, path: str, known: Applied) -> bool:
    if change.path == EVERYBODY:
        return path == GROUPS and (change.before, change.after) == (Everyone.NONE, Everyone.USE)
    entry = known.get(change.subject)
    given = change.action is not Action.REMOVE and rank(change.after) > rank(entry.role if entry else None)
    return given and change.path.startswith(f"{path}[")


def entry_of(change: Change, known: Applied, hidden: str | None = UNSURE) -> AppliedEntry:
    """What is recorded of an entry that `change` makes."""
    entry = known.get(change.subject)
    before = str(change.before) if change.action is Action.UPDATE and change.before in set(Role) else None
    name = EVERYONE if change.path == EVERYBODY else change.path.partition("[")[2].removesuffix("]")
    return AppliedEntry(
        id=change.subject,
        name=name[:MAX_NAME],
        role=str(change.after),
        replaced=entry.replaced if entry else before,
        hidden=hidden,
    )


def takes(change: Change) -> bool:
    return change.action is Action.REMOVE or rank(change.after) < rank(change.before)


def request_for(changes: Sequence[Change]) -> UpdateTemplateACLRequest:
    users = {change.subject: _sent(change) for change in changes if change.path.startswith(USERS)}
    groups = {change.subject: _sent(change) for change in changes if not change.path.startswith(USERS)}
    named: dict[str, Any] = {"user_perms": users, "group_perms": groups}
    return UpdateTemplateACLRequest(**{field: roles for field, roles in named.items() if roles})


def _sent(change: Change) -> str:
    return "" if change.action is Action.REMOVE or change.after == Everyone.NONE else str(change.after)


def kept_entry(
    side: Side, subject: str, change: Change | None, applied: Applied, *, owned: bool
) -> AppliedEntry | None:
    known = applied.get(subject)
    if change is not None:
        if change.action is Action.REMOVE or subject not in (side.wanted or ()):
            return None
        hidden = None if subject in side.shown else side.state(subject)
        return entry_of(change, applied, hidden)
    role = side.now(subject, applied)
    if role is None or (not owned and (known is None or known.role != role)):
        return None
    hidden = None if subject in side.shown or known is None else known.hidden
    replaced = known.replaced if known else None
    return AppliedEntry(id=subject, name=side.label(subject), role=role, replaced=replaced, hidden=hidden)
