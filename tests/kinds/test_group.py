"""CoderGroup: plans are pure, write only the difference, and leave alone what is not declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory, UserIndex
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds import group as module
from coder_enterprise.kinds.base import Action, Change, Context, KindError
from coder_enterprise.kinds.common import bounded
from coder_enterprise.kinds.group import GroupKind, GroupSpec, MemberMode, ObservedGroup
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Resource
from tests.support.beside import Beside
from tests.support.old_coder import TEMPLATE, OldCoder
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Scripted
from tests.support.structural import problems

KIND: Final = GroupKind()
ORGANIZATION: Final = records.Organization(id="0e0e0e0e-0000-4000-8000-000000000000", name="coder")
GROUP_ID: Final = "91000000-0000-4000-8000-000000000000"
STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
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
    return records.Group.model_validate(known | fields)


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


# Creation and fields


def test_a_group_that_is_not_there_is_created() -> None:
    assert plan(spec(), None) == ["create platform"]


def test_a_new_group_gets_its_members_too() -> None:
    assert plan(spec(users=["bob", "ann", "nobody"]), None) == [
        "create platform",
        "spec.members.users: add ann@example.com",
        "spec.members.users: add bob@example.com",
    ]


def test_a_group_that_matches_is_left_alone() -> None:
    desired = spec(users=["ann"], displayName="Platform", avatarURL="/a.png", quotaAllowance=5)
    assert plan(desired, group("ann", display_name="Platform", avatar_url="/a.png", quota_allowance=5)) == []


@pytest.mark.parametrize(
    ("declared", "actual", "expected"),
    [
        ({"displayName": "New"}, {"display_name": "Old"}, ["spec.displayName: 'Old' becomes 'New'"]),
        ({"displayName": ""}, {"display_name": "Old"}, ["spec.displayName: 'Old' becomes ''"]),
        ({"displayName": ""}, {}, []),
        ({"avatarURL": "/b.png"}, {"avatar_url": "/a.png"}, ["spec.avatarURL: '/a.png' becomes '/b.png'"]),
        ({"avatarURL": ""}, {"avatar_url": "/a.png"}, ["spec.avatarURL: '/a.png' becomes ''"]),
        ({"quotaAllowance": 7}, {"quota_allowance": 5}, ["spec.quotaAllowance: 5 becomes 7"]),
        ({"quotaAllowance": 0}, {"quota_allowance": 5}, ["spec.quotaAllowance: 5 becomes 0"]),
        ({"quotaAllowance": 0}, {}, []),
    ],
)
def test_a_field_that_is_declared_is_corrected(declared: Body, actual: Body, expected: list[str]) -> None:
    assert plan(spec(**declared), group(**actual)) == expected


def test_a_field_that_is_left_out_is_left_alone() -> None:
    assert plan(spec(), group("ann", display_name="X", avatar_url="/x.png", quota_allowance=9)) == []


def test_a_group_that_was_renamed_in_coder_gets_its_name_back() -> None:
    assert plan(spec(), group(name="other")) == ["spec.name: 'other' becomes 'platform'"]


def test_names_differ_by_case() -> None:
    assert plan(spec(), group(name="Platform")) == ["spec.name: 'Platform' becomes 'platform'"]


# Members


@pytest.mark.parametrize(
    ("mode", "users", "recorded", "added", "removed"),
    [
        ("Authoritative", ["ann", "bob"], [], ["bob"], ["cid"]),
        ("Authoritative", [], [], [], ["ann", "cid"]),
        ("Authoritative", ["ann", "cid"], [], [], []),
        ("Authoritative", ["ann", "cid", "nobody"], [], [], []),
        ("Additive", ["ann", "bob"], [], ["bob"], []),
        ("Additive", ["ann", "bob"], ["cid"], ["bob"], ["cid"]),
        ("Additive", [], ["ann", "bob"], [], ["ann"]),
        ("Additive", ["cid"], ["ann", "cid"], [], ["ann"]),
        ("Unmanaged", [], ["ann"], [], []),
    ],
)
def test_members_are_changed_as_the_mode_says(
    mode: str, users: list[str], recorded: list[str], added: list[str], removed: list[str]
) -> None:
    """The group has ann and cid."""
    managed = {"managedMembers": [user_id(name) for name in recorded]}
    assert plan(spec(mode, users), group("ann", "cid"), managed) == [
        *(f"spec.members.users: add {name}@example.com" for name in added),
        *(f"spec.members.users: remove {name}@example.com" for name in removed),
    ]


def test_members_that_are_left_out_are_left_alone() -> None:
    assert plan(spec(), group("ann")) == []


@pytest.mark.parametrize(
    "references",
    [
        ["ann", "ann@example.com"],
        ["ann", "ANN"],
        [user_id("ann"), user_id("ann").upper(), user_id("ann").replace("-", "")],
    ],
)
def test_one_person_in_two_spellings_is_added_once(references: list[str]) -> None:
    assert plan(spec(users=references), group()) == ["spec.members.users: add ann@example.com"]
    assert plan(spec(users=references), group("ann")) == []


def test_a_member_whom_the_list_of_users_lacks_is_named_by_id() -> None:
    found = group(members=["77777777-0000-4000-8000-000000000000"])
    assert plan(spec(users=[]), found) == ["spec.members.users: remove 77777777-0000-4000-8000-000000000000"]


def test_the_quota_of_everyone_may_be_declared_without_its_members() -> None:
    everyone = group("ann", "bob", id=ORGANIZATION.id, name="Everyone")
    desired = spec(name="Everyone", quotaAllowance=3)
    changes = KIND.plan(desired, observed(desired, everyone, "Everyone"), {})
    assert [str(change) for change in changes] == ["spec.quotaAllowance: 0 becomes 3"]


# Properties

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


def carry_out(desired: GroupSpec, seen: ObservedGroup, changes: Sequence[Change]) -> records.Group:
    """What Coder has after the request that the changes make, by Coder's own rules."""
    known = seen.group or group(name=seen.name)
    if seen.group is None:
        values = {field: getattr(desired, field) for field, _ in module._FIELDS}
        known = known.model_copy(update={field: value for field, value in values.items() if value is not None})
    request = module._patch_request(desired, seen, changes, created=seen.group is None)
    added, removed = set(request.add_users or ()), set(request.remove_users or ())
    assert not added & known.member_ids, "Coder refuses to add a member again"
    assert len(added) == len(request.add_users or ()), "Coder refuses an id twice"
    fields = request.model_dump(exclude_unset=True, exclude={"add_users", "remove_users"})
    return known.model_copy(update={**fields, "member_ids": (known.member_ids | added) - removed})


@given(specs, st.none() | groups, names)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    desired: GroupSpec, found: records.Group | None, managed: list[str]
) -> None:
    recorded: Body = {"managedMembers": [user_id(name) for name in managed]}
    seen = observed(desired, found)
    changes = KIND.plan(desired, seen, recorded)
    recorded |= KIND.intent(desired, changes, recorded)
    after = replace(seen, group=carry_out(desired, seen, changes), external_id=GROUP_ID)
    assert KIND.plan(desired, after, recorded) == []
    assert KIND.plan(desired, after, KIND.report(desired, after, changes, recorded)) == []


@given(st.lists(st.tuples(names, names), max_size=6), names)
def test_additive_never_removes_whom_it_did_not_add(
    history: list[tuple[list[str], list[str]]], members: list[str]
) -> None:
    """In each round spec declares some, and others are added by hand in Coder."""
    found = group(*members)
    by_hand, ours = set(members), set[str]()
    recorded: Body = {}
    for declared, others in history:
        others = [name for name in others if user_id(name) not in found.member_ids]
        found = found.model_copy(update={"member_ids": found.member_ids | {user_id(name) for name in others}})
        by_hand |= set(others) - ours
        desired = spec("Additive", declared)
        seen = observed(desired, found)
        changes = KIND.plan(desired, seen, recorded)
        recorded = recorded | KIND.intent(desired, changes, recorded)
        found = carry_out(desired, seen, changes)
        recorded = KIND.report(desired, replace(seen, group=found), changes, recorded)
        ours = {name for name in NAMES if user_id(name) in (recorded["managedMembers"] or ())}
        assert {user_id(name) for name in by_hand} <= found.member_ids
        assert {user_id(name) for name in declared} <= found.member_ids
        assert found.member_ids == {user_id(name) for name in by_hand | set(declared)}


PATHS: Final = {
    "spec.displayName": "displayName",
    "spec.avatarURL": "avatarURL",
    "spec.quotaAllowance": "quotaAllowance",
}


@given(specs, groups)
def test_a_field_that_is_not_in_spec_is_never_planned(desired: GroupSpec, found: records.Group) -> None:
    declared = desired.model_dump(by_alias=True, exclude_none=True)
    for change in KIND.plan(desired, observed(desired, found), {}):
        if change.path in PATHS:
            assert PATHS[change.path] in declared
        if change.path == "spec.members.users":
            assert declared["members"]["mode"] != "Unmanaged"


@given(specs, st.none() | groups)
def test_a_plan_is_the_same_each_time_it_is_made(desired: GroupSpec, found: records.Group | None) -> None:
    seen = observed(desired, found)
    assert KIND.plan(desired, seen, {}) == KIND.plan(desired, seen, {})


# Intent


def intent(desired: GroupSpec, found: records.Group | None, *managed: str) -> Body:
    recorded = {"managedMembers": [user_id(name) for name in managed]}
    return KIND.intent(desired, KIND.plan(desired, observed(desired, found), recorded), recorded)


def test_who_will_be_added_is_recorded_first() -> None:
    expected = {"managedMembers": [user_id("ann"), user_id("bob")]}
    assert intent(spec("Additive", ["ann", "bob"]), group(), "bob") == expected
    assert intent(spec("Additive", ["ann"]), group(), "bob") == expected


@pytest.mark.parametrize(
    ("desired", "found"),
    [
        (spec("Authoritative", ["ann"]), group()),
        (spec("Additive", ["ann"]), group("ann")),
        (spec("Additive", ["ann"]), None),
        (spec(), group()),
    ],
)
def test_nothing_is_recorded_first_where_nothing_can_be_lost(desired: GroupSpec, found: records.Group | None) -> None:
    assert intent(desired, found) == {}


def test_as_many_members_as_spec_may_hold_can_all_be_replaced() -> None:
    old, new = ([str(UUID(int=start + number)) for number in range(module.MAX_MEMBERS)] for start in (0, 10_000))
    changes = [Change(Action.ADD, "spec.members.users", after=item, subject=item) for item in new]
    recorded = KIND.intent(spec("Additive", new), changes, {"managedMembers": old})
    assert list(problems(STATUS_SCHEMA, recorded)) == []


# Report


def report(desired: GroupSpec, found: records.Group | None, changes: Sequence[Change] = (), **recorded: Any) -> Body:
    return KIND.report(desired, observed(desired, found), changes, recorded)


def test_status_tells_who_is_there_and_who_is_not() -> None:
    found = report(spec(users=["ann", "nobody"]), group("ann", "bob", source="oidc"))
    assert found == {
        "id": GROUP_ID,
        "name": "platform",
        "source": "oidc",
        "memberCount": 2,
        "unmanagedMembers": 1,
        "pendingMembers": ["nobody"],
        "managedMembers": None,
        "hiddenMembers": None,
    }


def test_a_group_that_is_not_there_clears_status() -> None:
    found = report(spec(users=["nobody"]), None)
    assert found.pop("pendingMembers") == ["nobody"]
    assert set(found.values()) == {None}


def test_the_members_of_everyone_are_not_counted() -> None:
    found = report(spec(name="Everyone"), group("ann", id=ORGANIZATION.id, name="Everyone"))
    assert found["memberCount"] is None
    assert found["unmanagedMembers"] is None


def test_whoever_left_by_hand_is_not_ours_any_more() -> None:
    found = report(spec("Additive", []), group("ann"), managedMembers=[user_id("ann"), user_id("bob")])
    assert found["managedMembers"] == [user_id("ann")]


def test_the_members_that_were_ours_are_forgotten_in_another_mode() -> None:
    assert report(spec(users=["ann"]), group("ann"), managedMembers=[user_id("ann")])["managedMembers"] is None


@given(specs, st.none() | groups)
def test_status_fits_into_its_schema(desired: GroupSpec, found: records.Group | None) -> None:
    shown = {key: value for key, value in report(desired, found).items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []


def test_a_name_that_only_old_servers_allow_fits_into_status() -> None:
    shown = report(spec(), group(name="x" * 1000))
    assert list(problems(STATUS_SCHEMA["properties"]["name"], shown["name"])) == []


def test_long_values_fit_into_pending_changes() -> None:
    desired = spec(avatarURL="/" + "b" * 2000)
    changes = KIND.plan(desired, observed(desired, group(avatar_url="/" + "a" * 5000)), {})
    pending = bounded([change.pending() for change in changes])
    assert list(problems(STATUS_SCHEMA["properties"]["pendingChanges"], pending)) == []


def test_many_pending_changes_are_counted() -> None:
    changes = [Change(Action.ADD, "spec.members.users", after=f"user-{number}") for number in range(250)]
    pending = bounded([change.pending() for change in changes])
    assert len(pending) == 101
    assert pending[-1] == {"path": "… and 150 more"}
    assert list(problems(STATUS_SCHEMA["properties"]["pendingChanges"], pending)) == []


# What it waits for


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        (["ann"], "applied"),
        (["ann", "x"], "applied, waiting for users to appear in organization coder: x"),
        (list("vwxyz"), "applied, waiting for users to appear in organization coder: v, w, x, y, z"),
        (list("uvwxyz"), "applied, waiting for users to appear in organization coder: u, v, w, x, y and 1 more"),
    ],
)
def test_people_who_are_not_there_yet_are_named(users: list[str], expected: str) -> None:
    desired = spec(users=users)
    assert KIND.verdict(desired, observed(desired, group())).message == expected


# The request


def request(desired: GroupSpec, found: records.Group | None, **recorded: Any) -> Body:
    seen = observed(desired, found)
    changes = KIND.plan(desired, seen, recorded)
    return module._patch_request(desired, seen, changes, created=found is None).model_dump(exclude_unset=True)


def test_only_the_difference_is_sent() -> None:
    desired = spec(users=["ann", "bob"], displayName="New", quotaAllowance=5)
    assert request(desired, group("ann", "cid", display_name="Old", quota_allowance=5)) == {
        "display_name": "New",
        "add_users": [user_id("bob")],
        "remove_users": [user_id("cid")],
    }


def test_a_name_is_sent_only_to_change_it() -> None:
    assert request(spec(displayName="New"), group()) == {"display_name": "New"}
    assert request(spec(), group(name="other")) == {"name": "platform"}


def test_what_creation_sent_already_is_not_sent_again() -> None:
    assert request(spec(displayName="New", users=["ann"]), None) == {"add_users": [user_id("ann")]}
    assert request(spec(displayName="New"), None) == {}


# Against a server


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "platform", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderGroup", {"metadata": metadata, "spec": declared, "status": status or {}})


@pytest.fixture
def context(server: Scripted, client: CoderClient) -> Context:
    server.answer("/organizations/default", ORGANIZATION.model_dump())
    return Context(client=client, directory=Directory(client), cluster=Beside(), users_newer_than=float("-inf"))


GROUPS: Final = f"/organizations/{ORGANIZATION.id}/groups"


def body(*members: str, **fields: Any) -> Body:
    people = [{"id": user_id(name), "username": name} for name in members]
    return {"id": GROUP_ID, "name": "platform", "organization_id": ORGANIZATION.id, "members": people} | fields


async def look(context: Context, *, fresh: bool, recorded: str | None = None, **declared: Any) -> ObservedGroup:
    status = {"id": recorded} if recorded else {}
    return await KIND.observe(context, resource(status), spec(**declared), fresh=fresh)


async def test_an_unrecorded_group_is_looked_up_by_its_exact_name(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [body(name="Platform"), body(id="2", name="platform")])
    seen = await look(context, fresh=False)
    assert seen.external_id == "2"
    assert not seen.fresh


async def test_a_free_name_needs_no_second_look(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [body(name="other")])
    seen = await look(context, fresh=False)
    assert seen.external_id is None
    assert seen.fresh


async def test_a_recorded_group_is_looked_up_by_id(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [body(name="renamed"), body(id="2", name="platform")])
    seen = await look(context, fresh=False, recorded=GROUP_ID)
    assert seen.external_id == GROUP_ID


async def test_a_recorded_group_that_is_gone_is_looked_up_by_name(server: Scripted, context: Context) -> None:
    server.answer(f"/groups/{GROUP_ID}", NOT_FOUND, status=404)
    server.answer(f"{GROUPS}/platform", body(id="2"))
    seen = await look(context, fresh=True, recorded=GROUP_ID)
    assert seen.external_id == "2"
    assert seen.fresh


async def test_a_group_of_an_identity_provider_is_looked_up_in_the_list(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [body(name="corp/Plattform Größe", source="oidc")])
    named = resource(name="corp/Plattform Größe", adoptionPolicy="Adopt", quotaAllowance=5)
    desired = GroupSpec.model_validate(named.spec)
    for fresh in (False, True):
        seen = await KIND.observe(context, named, desired, fresh=fresh)
        assert seen.external_id == GROUP_ID
        assert [str(change) for change in KIND.plan(desired, seen, {})] == ["spec.quotaAllowance: 0 becomes 5"]
    assert f"{GROUPS}/corp%2FPlattform" not in str(server.paths())


async def test_a_group_that_only_an_identity_provider_makes_is_waited_for(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [])
    named = resource(name="Plattform Größe", adoptionPolicy="Adopt")
    with pytest.raises(KindError, match="only an identity provider") as caught:
        await KIND.observe(context, named, GroupSpec.model_validate(named.spec), fresh=True)
    assert (caught.value.reason, caught.value.meaning) == (Reason.WAITING_FOR_GROUP, Meaning.WAITING)


async def test_a_group_that_is_not_there_is_none(server: Scripted, context: Context) -> None:
    server.answer(f"{GROUPS}/platform", NOT_FOUND, status=404)
    assert (await look(context, fresh=True)).external_id is None


async def test_a_missing_route_is_not_a_missing_group(server: Scripted, context: Context) -> None:
    server.answer(f"/groups/{GROUP_ID}", NO_ROUTE, status=404)
    with pytest.raises(errors.NotFound):
        await look(context, fresh=True, recorded=GROUP_ID)


async def test_an_organization_that_is_not_there_is_waited_for(server: Scripted, context: Context) -> None:
    server.answer("/organizations/missing", NOT_FOUND, status=404)
    server.answer("/users/me/organizations", [])
    with pytest.raises(KindError, match="missing does not exist") as caught:
        await look(context, fresh=True, organization="missing")
    assert caught.value.reason is Reason.WAITING_FOR_ORGANIZATION
    assert caught.value.meaning is Meaning.WAITING


async def test_people_are_found_in_the_organization_only(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [])
    users = [
        {"id": user_id("ann"), "username": "ann", "organization_ids": [ORGANIZATION.id]},
        {"id": user_id("bob"), "username": "bob", "organization_ids": ["elsewhere"]},
        {"id": user_id("cid"), "username": "cid", "organization_ids": None},
    ]
    server.answer("/users", {"users": users, "count": 3})
    seen = await look(context, fresh=False, users=["ann", "bob", "cid", "dan"])
    assert seen.members == {"ann": user_id("ann"), "bob": None, "cid": user_id("cid"), "dan": None}
    assert seen.pending == ("bob", "dan")


async def test_users_are_not_read_where_none_is_declared(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [])
    await look(context, fresh=False, users=[])
    assert "/users" not in server.paths()


async def test_a_group_is_created_and_then_filled(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, body(), method="POST", status=201)
    server.answer(f"/groups/{GROUP_ID}", body("ann"), method="PATCH")
    desired = spec(users=["ann"], quotaAllowance=3)
    seen = observed(desired, None)
    after = await KIND.apply(context, desired, seen, KIND.plan(desired, seen, {}))
    assert after.external_id == GROUP_ID
    assert after.group is not None
    assert after.group.member_ids == {user_id("ann")}
    assert [asked.body for asked in server.asked] == [
        '{"name":"platform","quota_allowance":3}',
        f'{{"add_users":["{user_id("ann")}"]}}',
    ]


async def test_a_name_that_was_just_taken_stalls(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, {"message": "A group named platform exists already."}, method="POST", status=409)
    seen = observed(spec(), None)
    with pytest.raises(KindError) as caught:
        await KIND.apply(context, spec(), seen, KIND.plan(spec(), seen, {}))
    assert caught.value.reason is Reason.ALREADY_EXISTS


async def test_a_group_is_deleted_by_its_recorded_id(server: Scripted, context: Context) -> None:
    server.answer(f"/groups/{GROUP_ID}", {"message": "deleted"}, method="DELETE")
    await KIND.delete(context, resource({"id": GROUP_ID}))
    assert server.paths("DELETE") == [f"/groups/{GROUP_ID}"]


async def test_a_group_that_is_gone_already_counts_as_deleted(server: Scripted, context: Context) -> None:
    server.answer(f"/groups/{GROUP_ID}", NOT_FOUND, method="DELETE", status=404)
    await KIND.delete(context, resource({"id": GROUP_ID}))


async def test_a_missing_route_does_not_count_as_deleted(server: Scripted, context: Context) -> None:
    server.answer(f"/groups/{GROUP_ID}", NO_ROUTE, method="DELETE", status=404)
    with pytest.raises(errors.NotFound):
        await KIND.delete(context, resource({"id": GROUP_ID}))


async def test_a_group_leaves_the_templates_before_it_is_deleted(server: Scripted, context: Context) -> None:
    """Afterwards an old server would keep its entry for ever."""
    coder = OldCoder(server)
    coder.put_group(GROUP_ID, "platform")
    coder.group_acl[GROUP_ID] = "admin"
    await KIND.delete(context, resource({"id": GROUP_ID}))
    assert GROUP_ID not in coder.group_acl
    assert GROUP_ID not in coder.groups


async def test_a_template_without_the_group_is_not_written(server: Scripted, context: Context) -> None:
    coder = OldCoder(server)
    coder.put_group(GROUP_ID, "platform")
    await KIND.delete(context, resource({"id": GROUP_ID}))
    assert coder.writes == []
    assert GROUP_ID not in coder.groups


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_group_is_deleted_also_by_one_who_may_not_change_templates(
    server: Scripted, context: Context, method: str, status: int
) -> None:
    coder = OldCoder(server)
    coder.put_group(GROUP_ID, "platform")
    coder.group_acl[GROUP_ID] = "admin"
    server.answer(f"/templates/{TEMPLATE}/acl", {"message": "no"}, method=method, status=status)
    await KIND.delete(context, resource({"id": GROUP_ID}))
    assert GROUP_ID not in coder.groups


async def test_many_groups_that_go_at_once_read_the_acls_once(server: Scripted, context: Context) -> None:
    coder = OldCoder(server)
    for number in range(5):
        coder.put_group(str(UUID(int=number)), f"group-{number}")
        await KIND.delete(context, resource({"id": str(UUID(int=number))}))
    assert server.paths().count(f"/templates/{TEMPLATE}/acl") == 1


@pytest.mark.parametrize("status", [{}, {"id": ORGANIZATION.id, "name": "Everyone"}])
async def test_what_cannot_be_deleted_is_not_tried(server: Scripted, context: Context, status: Body) -> None:
    await KIND.delete(context, resource(status))
    assert server.asked == []


async def test_the_identity_is_the_same_by_any_name_of_the_organization(server: Scripted, context: Context) -> None:
    server.answer(f"/organizations/{ORGANIZATION.id}", ORGANIZATION.model_dump())
    by_alias = await KIND.identity(context, resource(), spec())
    by_id = await KIND.identity(context, resource(), spec(organization=ORGANIZATION.id, name="platform"))
    assert by_alias == by_id == f"{ORGANIZATION.id}/platform"


def many_templates(server: Scripted, count: int) -> list[str]:
    """The paths of their ACLs, in none of which the group is."""
    ids = [str(UUID(int=number)) for number in range(count)]
    rows = [{"id": item, "name": item, "organization_id": ORGANIZATION.id} for item in ids]
    server.answer(f"/organizations/{ORGANIZATION.id}/templates", rows)
    server.answer(f"/groups/{GROUP_ID}", {"message": "deleted"}, method="DELETE")
    paths = [f"/templates/{item}/acl" for item in ids]
    for path in paths:
        server.answer(path, {"users": [], "group": []})
    return paths


async def test_a_deletion_that_was_interrupted_goes_on_where_it_ended(server: Scripted, context: Context) -> None:
    paths = many_templates(server, 40)
    server.answer(paths[20], {"message": "slow down"}, status=429)
    with pytest.raises(errors.TooManyRequests):
        await KIND.delete(context, resource({"id": GROUP_ID}))
    context.directory.expire()
    server.answer(paths[20], {"users": [], "group": []})
    await KIND.delete(context, resource({"id": GROUP_ID}))
    asked = [path for path in server.paths() if path in paths]
    assert set(asked) == set(paths)
    assert len(asked) <= len(paths) + module.ACLS_AT_A_TIME


async def test_a_deletion_that_takes_long_ends_its_visit_and_says_how_far_it_is(
    server: Scripted, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_templates(server, 3)
    monkeypatch.setattr(module, "LEAVING", 0.0)
    with pytest.raises(KindError, match="0 of 3") as caught:
        await KIND.delete(context, resource({"id": GROUP_ID}))
    assert caught.value.meaning is errors.Meaning.WAITING
    assert server.paths("DELETE") == []


async def test_somebody_who_does_not_exist_costs_no_list_per_visit(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [body("ann")])
    server.answer("/users", {"users": [], "count": 0})
    for _ in range(5):
        seen = await look(replace(context, users_newer_than=now()), fresh=False, users=["nobody"])
        assert seen.pending == ("nobody",)
    assert server.paths().count("/users") == 1
    assert 0 < (KIND.verdict(spec(users=["nobody"]), seen).revisit or 0) <= 20
