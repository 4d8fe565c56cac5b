"""The role of Everyone, which is the group with its organization's id: what changes of it, and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coder_enterprise.kinds.group import EVERYONE
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.template_acl.entries import EVERYBODY, GROUPS, applied_entries, gives
from coder_enterprise.kinds.template_acl.find import ObservedACL
from coder_enterprise.kinds.template_acl.spec import AppliedEntry, Everyone, Role, TemplateACLSpec


def everyone_changes(desired: TemplateACLSpec, observed: ObservedACL, recorded: Mapping[str, Any]) -> list[Change]:
    if desired.everyone is Everyone.UNMANAGED:
        return []
    current = observed.everyone if observed.groups_shown else recorded.get("everyone")
    enough = desired.additive and desired.everyone is Everyone.USE and current == Role.ADMIN
    if current == desired.everyone or enough:
        return []
    after = str(desired.everyone)
    return [Change(Action.UPDATE, EVERYBODY, current, after, subject=observed.template.organization_id)]


def kept_everyone(
    desired: TemplateACLSpec, observed: ObservedACL, changes: Sequence[Change], recorded: Mapping[str, Any]
) -> dict[str, AppliedEntry]:
    """Only when this object gave Everyone its role: else deletion would hide a template that all had."""
    everyone = observed.template.organization_id
    known = applied_entries(recorded, GROUPS)
    given = any(change.path == EVERYBODY and gives(change, GROUPS, known) for change in changes)
    lost = observed.groups_shown and observed.everyone != Everyone.USE
    if desired.everyone is not Everyone.USE or lost or not (given or everyone in known):
        return {}
    return {everyone: AppliedEntry(id=everyone, name=EVERYONE, role=Role.USE)}


def everyone_now(observed: ObservedACL, changes: Sequence[Change], recorded: Mapping[str, Any]) -> str | None:
    if observed.groups_shown:
        return observed.everyone
    made = [str(change.after) for change in changes if change.path == EVERYBODY]
    known = recorded.get("everyone")
    return made[0] if made else str(known) if known else None
