"""Groups as they are declared and as Coder has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st
from pydantic import TypeAdapter

from coder_enterprise.client import records
from coder_enterprise.client.indexes import UserIndex
from coder_enterprise.kinds.group import GroupKind, GroupSpec
from coder_enterprise.kinds.group.find import ObservedGroup
from coder_enterprise.kinds.group.settings import patch_request
from coder_enterprise.kinds.group.spec import MemberMode
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.resource import Resource

KIND: Final = GroupKind()
GROUP: Final = TypeAdapter(records.Group)
ORGANIZATION: Final = records.Organization(id="0e0e0e0e-0000-4000-8000-000000000000", name="coder")
GROUP_ID: Final = "91000000-0000-4000-8000-000000000000"
NAMES: Final = ("ann", "bob", "cid", "dan", "eve")
Body = dict[str, Any]


def user_id(name: str) -> str:
    return str(UUID(int=NAMES.index(name) + 1))


USERS: Final = UserIndex(
    records.User(id=user_id(name), username=name, email=f"{name}@example.com", organization_ids=(ORGANIZATION.id,))
    for name in NAMES
)


def group(*members: str, **fields: Any) -> records.Group:
    ids = [user_id(name) for name in members]
    known = {"id": GROUP_ID, "name": "platform", "organization_id": ORGANIZATION.id, "members": ids}
    return GROUP.validate_python(known | fields)


def spec(mode: str = "Authoritative", users: Sequence[str] | None = None, **fields: Any) -> GroupSpec:
    if users is not None:
        fields["members"] = {"mode": mode, "users": list(users)}
    return GroupSpec.model_validate(fields)


def observed(desired: GroupSpec, found: records.Group | None, name: str = "platform") -> ObservedGroup:
    references = desired.members.users if desired.members else ()
    members = {reference: user.id if (user := USERS.find(reference)) else None for reference in references}
    return ObservedGroup(
        external_id=found.id if found else None,
        fresh=True,
        organization=ORGANIZATION,
        name=name,
        group=found,
        members=members,
        users=USERS,
    )


def plan(desired: GroupSpec, found: records.Group | None, recorded: Mapping[str, Any] | None = None) -> list[str]:
    return [str(change) for change in KIND.plan(desired, observed(desired, found), recorded or {})]


names = st.lists(st.sampled_from(NAMES), unique=True)
texts = st.sampled_from(["", "a", "b"])
specs = st.builds(
    lambda mode, users, fields: spec(mode, () if mode == "Unmanaged" else users, **fields),
    st.sampled_from([str(mode) for mode in MemberMode]),
    st.lists(st.sampled_from([*NAMES, "nobody", "ANN", "bob@example.com"]), unique=True),
    st.fixed_dictionaries(
        {},
        optional={"displayName": texts, "avatarURL": st.sampled_from(["", "/a"]), "quotaAllowance": st.integers(0, 2)},
    ),
)
groups = st.builds(
    lambda members, name, text, avatar, quota: group(
        *members, name=name, display_name=text, avatar_url=avatar, quota_allowance=quota
    ),
    names,
    st.sampled_from(["platform", "other"]),
    texts,
    st.sampled_from(["", "/a"]),
    st.integers(0, 2),
)


def intent(desired: GroupSpec, found: records.Group | None, *managed: str) -> Body:
    recorded = {"managedMembers": [user_id(name) for name in managed]}
    return KIND.intent(desired, KIND.plan(desired, observed(desired, found), recorded), recorded)


def report(desired: GroupSpec, found: records.Group | None, changes: Sequence[Change] = (), **recorded: Any) -> Body:
    return KIND.report(desired, observed(desired, found), changes, recorded)


def request(desired: GroupSpec, found: records.Group | None, **recorded: Any) -> Body:
    seen = observed(desired, found)
    changes = KIND.plan(desired, seen, recorded)
    return patch_request(desired, seen, changes).model_dump(exclude_unset=True)


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "platform", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderGroup", {"metadata": metadata, "spec": declared, "status": status or {}})


def body(*members: str, **fields: Any) -> Body:
    people = [{"id": user_id(name), "username": name} for name in members]
    return {"id": GROUP_ID, "name": "platform", "organization_id": ORGANIZATION.id, "members": people} | fields
