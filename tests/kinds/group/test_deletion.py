"""What a group leaves behind, and that it goes."""

from __future__ import annotations

from uuid import UUID

import pytest

from coder_enterprise.client import errors
from coder_enterprise.kinds.group import leave_templates
from coder_enterprise.kinds.group.leave_templates import ACLS_AT_A_TIME
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from tests.kinds.group.builders import GROUP_ID, KIND, ORGANIZATION, Body, resource
from tests.support.old_coder import TEMPLATE, OldCoder
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Scripted


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
    assert len(asked) <= len(paths) + ACLS_AT_A_TIME


async def test_a_deletion_that_takes_long_ends_its_visit_and_says_how_far_it_is(
    server: Scripted, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_templates(server, 3)
    monkeypatch.setattr(leave_templates, "LEAVING", 0.0)
    with pytest.raises(KindError, match="0 of 3") as caught:
        await KIND.delete(context, resource({"id": GROUP_ID}))
    assert caught.value.meaning is errors.Meaning.WAITING
    assert server.paths("DELETE") == []
