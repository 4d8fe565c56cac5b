"""ACLs on servers that hide entries and refuse changes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.clock import now
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.template_acl.builders import ACL, GROUP, KIND, Body, Visits, entry, people, resource, spec, user
from tests.support.old_coder import ORGANIZATION, TEMPLATE, OldCoder
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Scripted


async def test_people_whom_an_old_server_hides_are_written_once(old: OldCoder, visit_it: Visits) -> None:
    declared = {"anna": "use", "beth": "admin", "carl": "use"}
    for _ in range(3):
        await visit_it(users=declared)
    assert old.user_acl == people(**declared)
    assert len(old.writes) == 1
    assert visit_it.status["appliedUsers"] == [
        entry("anna", "use") | {"name": "anna@example.com"},
        entry("beth", "admin", hidden="dormant") | {"name": "beth@example.com"},
        entry("carl", "use", hidden="suspended") | {"name": "carl@example.com"},
    ]


async def test_whoever_changes_his_status_is_written_at_most_once_more(old: OldCoder, visit_it: Visits) -> None:
    await visit_it(users={"anna": "use", "beth": "use"})
    for status in ("dormant", "active", "suspended", "dormant"):
        old.statuses |= {user("anna"): status, user("beth"): status}
        for _ in range(3):
            await visit_it(users={"anna": "use", "beth": "use"})
    assert len(old.writes) <= 3
    assert old.user_acl == people(anna="use", beth="use")


async def test_a_user_who_was_deleted_is_pending_and_his_entry_taken_away(old: OldCoder, visit_it: Visits) -> None:
    await visit_it(users={"anna": "use", "beth": "use"})
    del old.statuses[user("beth")]
    for _ in range(3):
        seen = await visit_it(users={"anna": "use", "beth": "use"})
    assert seen.pending == ("user beth",)
    assert old.user_acl == people(anna="use")
    assert len(old.writes) == 2


async def test_a_group_that_is_gone_does_not_hold_up_the_rest(old: OldCoder, visit_it: Visits) -> None:
    recorded = {"id": GROUP, "name": "data", "role": "use", "hidden": "unsure"}
    visit_it.status = {"appliedGroups": [recorded], "id": TEMPLATE, "templateID": TEMPLATE}
    del old.groups[GROUP]
    for _ in range(3):
        await visit_it(users={"anna": "use"}, groups=[])
    assert old.user_acl == people(anna="use")
    assert [sorted(write) for write in old.writes] == [["group_perms", "user_perms"], ["user_perms"], ["group_perms"]]
    assert "appliedGroups" not in visit_it.status


@pytest.mark.parametrize("users", [{"anna": "use"}, {}], ids=["giving", "taking"])
async def test_a_refusal_of_something_else_is_said(
    server: Scripted, old: OldCoder, visit_it: Visits, users: Body
) -> None:
    old.user_acl = {} if users else people(anna="use")
    server.answer(ACL, {"message": "no"}, method="PATCH", status=400)
    with pytest.raises(errors.BadRequest):
        await visit_it(users=users)


async def test_a_list_of_users_that_is_old_is_read_anew_before_it_makes_a_write(
    old: OldCoder, visit_it: Visits
) -> None:
    """Anna is suspended after the list was read, so the server hides her."""
    await visit_it(users={"anna": "use"})
    desired = spec(users={"anna": "use"})
    await visit_it.context.directory.users.get()
    old.statuses[user("anna")] = "suspended"
    context = replace(visit_it.context, users_newer_than=now())
    seen = await KIND.observe(context, resource(visit_it.status), desired, fresh=True)
    assert KIND.plan(desired, seen, visit_it.status) == []


@pytest.mark.parametrize("mode", ["Authoritative", "Additive"])
async def test_deletion_takes_away_what_was_given_hidden_or_not(old: OldCoder, visit_it: Visits, mode: str) -> None:
    old.user_acl = people(dora="use")
    old.statuses[user("dora")] = "active"
    await visit_it(
        mode=mode, users={"anna": "use", "beth": "use", "dora": "use"}, groups=[{"name": "data", "role": "use"}]
    )
    await visit_it.delete(mode=mode)
    assert old.user_acl == ({} if mode == "Authoritative" else people(dora="use"))
    assert old.group_acl == {ORGANIZATION: "use"}


async def test_deletion_leaves_everyone_as_others_had_it(old: OldCoder, visit_it: Visits) -> None:
    await visit_it(everyone="use")
    await visit_it.delete()
    assert old.group_acl == {ORGANIZATION: "use"}


async def test_deletion_takes_from_everyone_what_this_object_gave(old: OldCoder, visit_it: Visits) -> None:
    old.group_acl = {}
    for _ in range(2):
        await visit_it(everyone="use")
    assert old.group_acl == {ORGANIZATION: "use"}
    await visit_it.delete()
    assert old.group_acl == {}


async def test_deletion_gives_nobody_anything(old: OldCoder, visit_it: Visits) -> None:
    await visit_it(everyone="none")
    await visit_it.delete()
    assert old.group_acl == {}


async def test_deletion_of_a_group_that_went_first_is_no_trouble(old: OldCoder, visit_it: Visits) -> None:
    await visit_it(users={"anna": "use"}, groups=[{"name": "data", "role": "use"}])
    visit_it.status["appliedGroups"][0]["hidden"] = "active"
    del old.groups[GROUP]
    await visit_it.delete()
    assert old.user_acl == {}


async def test_a_template_that_is_gone_counts_as_deleted(server: Scripted, visit_it: Visits) -> None:
    visit_it.status = {"id": TEMPLATE, "appliedUsers": [entry("anna", "use")]}
    server.answer(ACL, NOT_FOUND, status=404)
    await visit_it.delete()
    server.answer(ACL, NO_ROUTE, status=404)
    with pytest.raises(errors.NotFound):
        await visit_it.delete()


@pytest.fixture
def blind(server: Scripted) -> OldCoder:
    coder = OldCoder(server, documented=True)
    coder.statuses = {user("anna"): "active"}
    coder.put_group(GROUP, "data")
    return coder


async def test_groups_that_a_server_does_not_show_are_written_once(blind: OldCoder, visit_it: Visits) -> None:
    for _ in range(3):
        seen = await visit_it(everyone="none", groups=[{"name": "data", "role": "use"}])
    assert blind.group_acl == {GROUP: "use"}
    assert len(blind.writes) == 1
    assert visit_it.status["everyone"] == "none"
    verdict = KIND.verdict(spec(), seen)
    assert [condition.reason for condition in verdict.conditions] == [Reason.GROUPS_NOT_SHOWN]
    assert "drift is not noticed" in verdict.message


async def test_groups_that_a_server_does_not_show_are_changed_and_taken_away(blind: OldCoder, visit_it: Visits) -> None:
    for role in ("use", "admin"):
        await visit_it(groups=[{"name": "data", "role": role}])
        assert blind.group_acl[GROUP] == role
    await visit_it(groups=[])
    assert blind.group_acl == {ORGANIZATION: "use"}
    assert len(blind.writes) == 3
