"""Workspace quota: the budget of groups, what workspaces cost, and builds that are too expensive."""

from __future__ import annotations

import uuid

import pytest

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.entitlements import Feature
from tests.support.api import Body, Client, People, checked, create_group, refused
from tests.support.provisioners import Daemon, build, create_build, create_workspace


async def quota(client: Client, user: str = "me") -> tuple[int, int]:
    """Consumed, and budget."""
    body = checked(await client.get(f"/workspace-quota/{user}"))
    assert set(body) == {"credits_consumed", "budget"}
    return body["credits_consumed"], body["budget"]


async def allow(owner: Client, allowance: int, *members: Client) -> Body:
    """A new group with that allowance."""
    group = await create_group(owner, f"g{uuid.uuid4().hex[:8]}", quota_allowance=allowance)
    body = {"add_users": [member.user_id for member in members]}
    return checked(await owner.patch(f"/groups/{group['id']}", json=body))


async def allow_everyone(owner: Client, allowance: int) -> None:
    home = checked(await owner.get("/organizations/default"))
    checked(await owner.patch(f"/groups/{home['id']}", json={"quota_allowance": allowance}))


async def test_without_groups_there_is_no_budget(member: Client) -> None:
    assert await quota(member) == (0, 0)


async def test_the_allowances_of_all_groups_add_up(owner: Client, member: Client) -> None:
    await allow(owner, 5, member)
    await allow(owner, 7, member, owner)
    await allow(owner, 100, owner)
    await allow_everyone(owner, 1)
    assert await quota(member) == (0, 13)
    assert await quota(owner, member.user_id) == (0, 13)


async def test_the_quota_of_an_organization_is_its_own(owner: Client, member: Client) -> None:
    await allow(owner, 5, member)
    body = checked(await member.get("/organizations/default/members/me/workspace-quota"))
    assert body == {"credits_consumed": 0, "budget": 5}


async def test_what_is_consumed_follows_the_latest_builds(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    await allow(owner, 20, member)
    first = await create_workspace(member, template, "first")
    await build(daemon, 7)
    assert await quota(member) == (7, 20)
    await create_workspace(member, template, "second")
    await build(daemon, 5)
    assert await quota(member) == (12, 20)
    await create_build(member, first, "stop")
    await build(daemon, 2)
    assert await quota(member) == (7, 20)
    await create_build(member, first, "delete")
    await build(daemon, 1)
    assert await quota(member) == (5, 20)
    assert await quota(owner) == (0, 0)


async def test_a_build_over_the_budget_is_refused_and_charged_nothing(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    await allow(owner, 10, member)
    workspace = await create_workspace(member, template, "dev")
    answer = await build(daemon, 11)
    assert (answer.ok, answer.credits_consumed, answer.budget) == (False, 0, 10)
    assert await quota(member) == (0, 10)
    shown = checked(await member.get(f"/workspaces/{workspace['id']}"))
    assert (shown["latest_build"]["status"], shown["latest_build"]["job"]["error"]) == ("failed", "insufficient quota")


async def test_a_build_that_takes_the_whole_budget_is_accepted(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    await allow(owner, 10, member)
    await create_workspace(member, template, "dev")
    answer = await build(daemon, 10)
    assert (answer.ok, answer.credits_consumed, answer.budget) == (True, 10, 10)


async def test_over_the_budget_a_build_may_still_become_cheaper(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    group = await allow(owner, 10, member)
    workspace = await create_workspace(member, template, "dev")
    await build(daemon, 10)
    checked(await owner.patch(f"/groups/{group['id']}", json={"quota_allowance": 1}))
    await create_build(member, workspace, "stop")
    assert (await build(daemon, 9)).ok is True
    await create_build(member, workspace, "stop")
    assert (await build(daemon, 9)).ok is False


async def test_a_charge_that_is_repeated_counts_once(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    await allow(owner, 10, member)
    await create_workspace(member, template, "dev")
    job = await daemon.acquire()
    for _ in range(2):
        answer = await daemon.commit_quota(job, 6)
        assert (answer.ok, answer.credits_consumed) == (True, 6)
    assert await quota(member) == (6, 10)


async def test_without_the_feature_nothing_is_limited_but_all_is_counted(
    daemon: Daemon, template: Body, member: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enabled(feature: Feature) -> bool:
        return feature is not Feature.TEMPLATE_RBAC

    monkeypatch.setattr(services.entitlements, "enabled", enabled)
    await create_workspace(member, template, "dev")
    answer = await build(daemon, 6)
    assert (answer.ok, answer.budget) == (True, -1)
    assert await quota(member) == (6, -1)


async def test_a_user_who_is_unknown_or_hidden_is_refused(owner: Client, member: Client, people: People) -> None:
    other = await people.with_roles()
    refused(await owner.get("/workspace-quota/nobody"), 400)
    refused(await member.get(f"/workspace-quota/{other.user_id}"), 400)
    refused(await member.get(f"/organizations/default/members/{other.user_id}/workspace-quota"), 400)


async def test_an_unknown_organization_is_not_found(member: Client) -> None:
    refused(await member.get(f"/organizations/{uuid.uuid4()}/members/me/workspace-quota"), 404)


async def test_quotas_need_a_session(nobody: Client) -> None:
    refused(await nobody.get("/workspace-quota/me"), 401)
    refused(await nobody.get("/organizations/default/members/me/workspace-quota"), 401)
