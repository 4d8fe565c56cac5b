"""CoderTemplateACL: plans write only the difference, also where Coder does not show what it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.acl_entries import Side, rank, request_for
from coder_enterprise.kinds.base import Change, Context, KindError
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Key, Resource
from coder_enterprise.kinds.template_acl import ObservedACL, TemplateACLKind, TemplateACLSpec
from tests.support.beside import Beside
from tests.support.old_coder import ORGANIZATION, TEMPLATE, OldCoder
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Scripted
from tests.support.structural import problems

KIND: Final = TemplateACLKind()
STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
NAMES: Final = ("anna", "beth", "carl", "dora")
GROUP: Final = "91000000-0000-4000-8000-000000000000"
OTHER_GROUP: Final = "92000000-0000-4000-8000-000000000000"
ACL: Final = f"/templates/{TEMPLATE}/acl"

Body = dict[str, Any]


def user(name: str) -> str:
    """An id that ends with the name, which the scripted Coder takes for the username."""
    return f"50000000-0000-4000-8000-00000000{name}"


def people(**roles: str) -> dict[str, str]:
    return {user(name): role for name, role in roles.items()}


def spec(**declared: Any) -> TemplateACLSpec:
    users = declared.pop("users", None)
    if isinstance(users, Mapping):
        users = [{"user": name, "role": role} for name, role in users.items()]
    return TemplateACLSpec.model_validate({"template": {"name": "docker"}, "users": users} | declared)


def observed(
    desired: TemplateACLSpec, shown: Mapping[str, str], everyone: str | None = "use", **states: str
) -> ObservedACL:
    """Users alone: groups follow the same rules."""
    wanted = {user(item.user): str(item.role) for item in desired.users} if desired.users is not None else None
    known = {user(name): states.get(name, "active") for name in NAMES}
    return ObservedACL(
        external_id=TEMPLATE,
        fresh=True,
        template=records.Template(id=TEMPLATE, name="docker", organization_id=ORGANIZATION),
        users=Side("spec.users", wanted, dict(shown), {user(name): name for name in NAMES}, known),
        groups=Side("spec.groups", None, {}, {}, None),
        groups_shown=everyone is not None,
        everyone=everyone,
        pending=(),
        awaited=(),
    )


def plan(desired: TemplateACLSpec, shown: Mapping[str, str], recorded: Sequence[Body] = (), **fields: Any) -> list[str]:
    seen = observed(desired, shown, **fields)
    return [str(change) for change in KIND.plan(desired, seen, {"appliedUsers": list(recorded)})]


def entry(name: str, role: str, **fields: str) -> Body:
    return {"id": user(name), "name": name, "role": role} | fields


# Plans


def test_authoritative_makes_it_exactly_so() -> None:
    desired = spec(users={"anna": "use", "beth": "admin", "carl": "use"})
    assert plan(desired, people(beth="use", carl="use", dora="admin")) == [
        "spec.users[anna]: add use",
        "spec.users[beth]: 'use' becomes 'admin'",
        "spec.users[dora]: remove admin",
    ]


def test_users_that_are_left_out_are_left_alone() -> None:
    assert plan(spec(), people(anna="use"), [entry("anna", "use")]) == []


def test_an_empty_list_of_users_means_none() -> None:
    assert plan(spec(users={}), people(anna="use")) == ["spec.users[anna]: remove use"]


@pytest.mark.parametrize(
    ("declared", "shown", "recorded", "expected"),
    [
        ({"anna": "use"}, {}, [], ["spec.users[anna]: add use"]),
        ({"anna": "use"}, {"anna": "admin", "beth": "use"}, [], []),
        ({"anna": "admin"}, {"anna": "use"}, [], ["spec.users[anna]: 'use' becomes 'admin'"]),
        ({"anna": "use"}, {"anna": "admin"}, [entry("anna", "admin")], ["spec.users[anna]: 'admin' becomes 'use'"]),
        ({}, {"anna": "use"}, [entry("anna", "use")], ["spec.users[anna]: remove use"]),
        ({}, {"anna": "admin"}, [entry("anna", "use")], []),
        ({}, {"anna": "admin"}, [entry("anna", "admin", replaced="use")], ["spec.users[anna]: 'admin' becomes 'use'"]),
        ({}, {"anna": "use"}, [entry("anna", "admin", replaced="use")], []),
        ({}, {}, [entry("anna", "use")], []),
    ],
)
def test_additive_gives_at_least_and_takes_back_its_own(
    declared: Body, shown: dict[str, str], recorded: list[Body], expected: list[str]
) -> None:
    assert plan(spec(mode="Additive", users=declared), people(**shown), recorded) == expected


@pytest.mark.parametrize(
    ("everyone", "mode", "has", "expected"),
    [
        ("unmanaged", "Authoritative", "admin", []),
        ("none", "Authoritative", "use", ["spec.everyone: 'use' becomes 'none'"]),
        ("none", "Additive", "use", ["spec.everyone: 'use' becomes 'none'"]),
        ("none", "Authoritative", "none", []),
        ("use", "Authoritative", "none", ["spec.everyone: 'none' becomes 'use'"]),
        ("use", "Authoritative", "admin", ["spec.everyone: 'admin' becomes 'use'"]),
        ("use", "Additive", "admin", []),
    ],
)
def test_everyone_is_as_declared(everyone: str, mode: str, has: str, expected: list[str]) -> None:
    assert plan(spec(everyone=everyone, mode=mode), {}, everyone=has) == expected


def test_what_was_recorded_of_a_template_that_is_gone_does_not_count() -> None:
    desired = spec(mode="Additive", users={})
    recorded = {"templateID": OTHER_GROUP, "appliedUsers": [entry("anna", "use")]}
    assert KIND.plan(desired, observed(desired, people(anna="use")), recorded) == []


# Who is hidden


@pytest.mark.parametrize(
    ("status", "recorded", "expected"),
    [
        ("dormant", {"hidden": "dormant"}, []),
        ("dormant", {}, ["spec.users[anna]: add use"]),  # it was shown: somebody took it away
        ("active", {"hidden": "dormant"}, ["spec.users[anna]: add use"]),
        ("active", {"hidden": "active"}, []),  # it was given, and did not appear: once is enough
        ("suspended", {}, []),
        ("suspended", {"hidden": "unsure"}, ["spec.users[anna]: add use"]),
        ("dormant", {"hidden": "unsure"}, ["spec.users[anna]: add use"]),
    ],
)
def test_whom_coder_does_not_show_is_as_he_was_applied(status: str, recorded: Body, expected: list[str]) -> None:
    assert plan(spec(users={"anna": "use"}), {}, [entry("anna", "use", **recorded)], anna=status) == expected


@pytest.mark.parametrize("mode", ["Authoritative", "Additive"])
@pytest.mark.parametrize("status", ["dormant", "suspended", "deleted"])
@pytest.mark.parametrize("recorded", [{}, {"hidden": "dormant"}])
def test_an_entry_that_is_not_shown_is_taken_away_too(recorded: Body, status: str, mode: str) -> None:
    changes = plan(spec(mode=mode, users={}), {}, [entry("anna", "use", **recorded)], anna=status)
    assert changes == ["spec.users[anna]: remove use"]


# Properties

roles = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["use", "admin"]))
modes = st.sampled_from(["Authoritative", "Additive"])


def carry_out(shown: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    after = dict(shown) | (request_for(changes).model_dump().get("user_perms") or {})
    return {key: role for key, role in after.items() if role}


def visit(desired: TemplateACLSpec, shown: Mapping[str, str], recorded: Body) -> tuple[dict[str, str], Body]:
    """What Coder has, and status, after a reconcile."""
    seen = observed(desired, shown)
    changes = KIND.plan(desired, seen, recorded)
    recorded = recorded | KIND.intent(desired, changes, recorded)
    after = carry_out(shown, changes)
    seen = replace(seen, users=replace(seen.users, shown=after))
    return after, recorded | KIND.report(desired, seen, changes, recorded)


@given(roles, roles, modes)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(declared: Body, before: Body, mode: str) -> None:
    desired = spec(mode=mode, users=declared)
    after, recorded = visit(desired, people(**before), {})
    assert KIND.plan(desired, observed(desired, after), recorded) == []
    assert visit(desired, after, recorded) == (after, recorded)


@given(st.lists(roles, max_size=6), roles)
def test_additive_leaves_what_others_gave_when_all_of_its_own_is_gone(history: list[Body], by_hand: Body) -> None:
    shown, recorded = people(**by_hand), Body()
    for declared in [*history, {}]:
        shown, recorded = visit(spec(mode="Additive", users=declared), shown, recorded)
        for name, role in declared.items():
            assert rank(shown[user(name)]) >= rank(role)
    assert shown == people(**by_hand)
    assert recorded["appliedUsers"] is None


@given(roles, roles, modes)
def test_status_fits_into_its_schema(declared: Body, before: Body, mode: str) -> None:
    _, recorded = visit(spec(mode=mode, users=declared), people(**before), {})
    shown = {key: value for key, value in recorded.items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []


def test_what_will_be_given_is_recorded_first() -> None:
    desired = spec(mode="Additive", users={"anna": "use", "beth": "admin"})
    changes = KIND.plan(desired, observed(desired, people(beth="use")), {})
    assert KIND.intent(desired, changes, {}) == {
        "appliedUsers": [
            entry("anna", "use", hidden="unsure"),
            entry("beth", "admin", replaced="use", hidden="unsure"),
        ]
    }


def test_what_will_be_taken_stays_recorded_until_it_is_gone() -> None:
    desired = spec(mode="Additive", users={"beth": "use"})
    recorded = {"appliedUsers": [entry("anna", "use"), entry("beth", "admin")]}
    changes = KIND.plan(desired, observed(desired, people(anna="use", beth="admin")), recorded)
    assert len(changes) == 2
    assert KIND.intent(desired, changes, recorded) == {}


def test_a_plan_that_is_not_carried_out_records_nothing() -> None:
    desired = spec(users={"anna": "use"}, managementPolicy="Plan")
    assert KIND.report(desired, observed(desired, people(anna="use")), (), {})["appliedUsers"] is None


# Against a server


@dataclass
class Visits:
    """Reconciles one object as the engine does, without its policies."""

    context: Context
    status: Body

    async def __call__(self, **declared: Any) -> ObservedACL:
        desired = spec(**declared)
        written = desired.model_dump(mode="json", by_alias=True, exclude_none=True)
        self.context.directory.expire()
        observed = await KIND.observe(self.context, resource(self.status, **written), desired, fresh=True)
        changes = KIND.plan(desired, observed, self.status)
        if changes:
            self.status = self.status | KIND.intent(desired, changes, self.status)
            observed = await KIND.apply(self.context, desired, observed, changes)
        report = self.status | KIND.report(desired, observed, changes, self.status)
        self.status = {key: value for key, value in report.items() if value is not None}
        return observed

    async def delete(self, **declared: Any) -> None:
        await KIND.delete(self.context, resource(self.status, **declared))


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "docker", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderTemplateACL", {"metadata": metadata, "spec": declared, "status": status or {}})


def coder_group(status: Body | None = None, *, deleting: bool = False, **declared: Any) -> Resource:
    metadata: Body = {"namespace": "default", "name": "data", "uid": "u2", "resourceVersion": "1"}
    if deleting:
        metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]}
    return Resource.from_body("CoderGroup", {"metadata": metadata, "spec": declared, "status": status or {}})


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
def visit_it(client: CoderClient, beside: Beside) -> Visits:
    directory = Directory(client)
    return Visits(Context(client=client, directory=directory, cluster=beside, users_newer_than=float("-inf")), {})


@pytest.fixture
def old(server: Scripted) -> OldCoder:
    coder = OldCoder(server)
    coder.statuses = {user("anna"): "active", user("beth"): "dormant", user("carl"): "suspended"}
    coder.put_group(GROUP, "data")
    return coder


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


# What it refers to


async def test_one_person_in_two_spellings_gets_the_greater_role(old: OldCoder, visit_it: Visits) -> None:
    await visit_it(users={"anna": "admin", "ANNA@example.com": "use", user("anna").upper(): "use"})
    assert old.writes == [{"user_perms": {user("anna"): "admin"}}]


@pytest.mark.parametrize(
    ("found", "pending"),
    [
        (None, ("CoderGroup data",)),
        (coder_group(), ("CoderGroup data",)),
        (coder_group({"id": GROUP}, deleting=True), ("CoderGroup data",)),
        (coder_group({"id": GROUP}), ()),
    ],
    ids=["missing", "not made yet", "on its way out", "there"],
)
async def test_a_coder_group_counts_from_its_id_to_its_end(
    old: OldCoder, visit_it: Visits, beside: Beside, found: Resource | None, pending: tuple[str, ...]
) -> None:
    if found is not None:
        beside.objects[found.key] = found
    seen = await visit_it(groups=[{"groupRef": {"name": "data"}, "role": "admin"}])
    assert seen.pending == pending
    assert old.group_acl.get(GROUP) == (None if pending else "admin")
    verdict = KIND.verdict(spec(), seen)
    assert verdict.ready == (not pending)
    assert verdict.reason is (Reason.WAITING_FOR_GROUP if pending else Reason.APPLIED)
    assert verdict.revisit is None  # the CoderGroup wakes it


@pytest.mark.parametrize(
    "found",
    [coder_group({"id": GROUP}, deploymentRef={"name": "other"}), coder_group({"id": ORGANIZATION})],
    ids=["of another deployment", "Everyone"],
)
async def test_a_coder_group_that_cannot_be_used_is_refused(
    old: OldCoder, visit_it: Visits, beside: Beside, found: Resource
) -> None:
    beside.objects[found.key] = found
    with pytest.raises(KindError) as caught:
        await visit_it(groups=[{"groupRef": {"name": "data"}, "role": "use"}])
    assert caught.value.reason is Reason.INVALID_REFERENCE


def test_a_change_of_a_coder_group_wakes_it() -> None:
    declared = spec(groups=[{"groupRef": {"name": "data"}, "role": "use"}, {"name": "other", "role": "use"}])
    assert KIND.references(resource(), declared) == (Key("CoderGroup", "default", "data"),)


async def test_people_and_groups_by_name_are_looked_for_again(old: OldCoder, visit_it: Visits) -> None:
    seen = await visit_it(users={"nobody": "use"}, groups=[{"name": "none", "role": "use"}])
    verdict = KIND.verdict(spec(), seen)
    assert (verdict.ready, verdict.reason) == (True, Reason.PENDING_SUBJECTS)
    assert verdict.revisit == pytest.approx(20, abs=5)
    assert "user nobody, group none" in verdict.message


@pytest.mark.parametrize("template", [{"name": "other"}, {"id": OTHER_GROUP}])
async def test_a_template_that_is_not_there_is_waited_for(
    server: Scripted, old: OldCoder, visit_it: Visits, template: Body
) -> None:
    server.answer(f"/organizations/{ORGANIZATION}/templates/other", NOT_FOUND, status=404)
    server.answer(f"/templates/{OTHER_GROUP}", NOT_FOUND, status=404)
    with pytest.raises(KindError) as caught:
        await visit_it(template=template)
    assert (caught.value.reason, caught.value.meaning) == (Reason.WAITING_FOR_TEMPLATE, Meaning.WAITING)


async def test_a_missing_route_is_not_a_missing_template(server: Scripted, old: OldCoder, visit_it: Visits) -> None:
    server.answer(ACL, NO_ROUTE, status=404)
    with pytest.raises(errors.NotFound):
        await visit_it()


@pytest.mark.parametrize("template", [{"name": "DOCKER"}, {"id": TEMPLATE.upper()}])
async def test_the_identity_is_that_of_the_template(old: OldCoder, visit_it: Visits, template: Body) -> None:
    assert await KIND.identity(visit_it.context, resource(), spec(template=template)) == TEMPLATE


# Adoption


@pytest.mark.parametrize(
    ("declared", "shown", "free"),
    [
        ({"users": {}}, {}, True),
        ({"users": {}}, {"anna": "use"}, False),
        ({}, {"anna": "use"}, True),
        ({"users": {}, "mode": "Additive"}, {"anna": "use"}, True),
    ],
    ids=["as new", "filled", "of users alone, which are not managed", "additive"],
)
async def test_an_acl_needs_adoption_when_others_filled_it(
    old: OldCoder, visit_it: Visits, declared: Body, shown: Body, free: bool
) -> None:
    old.user_acl = people(**shown)
    observed = await KIND.observe(visit_it.context, resource(), spec(**declared), fresh=True)
    assert (observed.external_id, observed.free) == (TEMPLATE, free)
