"""Groups on a server: found, made, filled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.clock import now
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.group import GroupSpec
from coder_enterprise.kinds.group.find import ObservedGroup
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.group.builders import GROUP_ID, KIND, ORGANIZATION, body, observed, resource, spec, user_id
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Scripted

GROUPS: Final = f"/organizations/{ORGANIZATION.id}/groups"


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


async def test_the_identity_is_the_same_by_any_name_of_the_organization(server: Scripted, context: Context) -> None:
    server.answer(f"/organizations/{ORGANIZATION.id}", ORGANIZATION.model_dump())
    by_alias = await KIND.identity(context, resource(), spec())
    by_id = await KIND.identity(context, resource(), spec(organization=ORGANIZATION.id, name="platform"))
    assert by_alias == by_id == f"{ORGANIZATION.id}/platform"


async def test_somebody_who_does_not_exist_costs_no_list_per_visit(server: Scripted, context: Context) -> None:
    server.answer(GROUPS, [body("ann")])
    server.answer("/users", {"users": [], "count": 0})
    for _ in range(5):
        seen = await look(replace(context, users_newer_than=now()), fresh=False, users=["nobody"])
        assert seen.pending == ("nobody",)
    assert server.paths().count("/users") == 1
    assert 0 < (KIND.verdict(spec(users=["nobody"]), seen).revisit or 0) <= 20
