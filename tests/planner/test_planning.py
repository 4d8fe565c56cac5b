"""A plan says what the operator would do, against a real Coder, and does none of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from coder_enterprise.cli.plan_output import render
from coder_enterprise.cli.planning import Output
from coder_enterprise.client.http import Call, Transport
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.planner.manifests import read
from coder_enterprise.planner.planning import Planner
from coder_enterprise.planner.plans import Plan, Step, Verb
from coder_enterprise.planner.servers import Access
from tests.support.manifests import (
    Body,
    appearance,
    deployment,
    group,
    members,
    proxy,
    secret,
    template_acl,
    user,
)
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer


@pytest.fixture
def planner(server: CoderServer, tmp_path: Path) -> Callable[..., Planner]:
    def make(*bodies: Body, access: Access | None = None, **settings: Any) -> Planner:
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(bodies))
        return Planner(read([str(tmp_path)]), access or Access(server.url, server.token), **settings)

    return make


def step_of(plan: Plan, name: str, kind: str = "CoderGroup") -> Step:
    [found] = [step for step in plan.steps if step.key.kind == kind and step.key.name == name]
    return found


async def test_what_is_not_there_is_created(planner: Any) -> None:
    plan = await planner(group("new-one", displayName="New"), proxy("eu-new"), user("newcomer")).plan()
    assert [step.verb for step in plan.steps] == [Verb.CREATE] * 3
    assert plan.summary == "Plan: 3 to create, 0 to change, 0 to delete, 0 waiting, 0 unchanged"


async def test_what_differs_is_changed_field_by_field(planner: Any, coder: CoderAPI) -> None:
    coder.create_group("changing", display_name="Old")
    step = step_of(await planner(group("changing", displayName="New", quotaAllowance=7)).plan(), "changing")
    assert step.verb is Verb.CHANGE
    assert {(change.path, change.before, change.after) for change in step.changes} == {
        ("spec.displayName", "Old", "New"),
        ("spec.quotaAllowance", 0, 7),
    }


async def test_what_is_as_declared_is_unchanged(planner: Any, coder: CoderAPI) -> None:
    coder.create_group("as-declared", display_name="Same")
    plan = await planner(group("as-declared", displayName="Same")).plan()
    assert plan.summary == "Plan: 0 to create, 0 to change, 0 to delete, 0 waiting, 1 unchanged"
    assert not plan.acts


async def test_people_who_do_not_exist_are_pending(planner: Any, coder: CoderAPI) -> None:
    coder.create_group("awaiting")
    step = step_of(await planner(group("awaiting", members=members("nobody@example.com"))).plan(), "awaiting")
    assert (step.verb, step.pending) == (Verb.WAIT, ("nobody@example.com",))


async def test_a_foreign_group_needs_a_policy_where_a_cluster_says_whose_it_is(planner: Any, coder: CoderAPI) -> None:
    coder.create_group("foreign", display_name="Theirs")
    bodies = [group("foreign", displayName="Ours")]
    step = step_of(await planner(*bodies, live={}).plan(), "foreign")
    assert (step.verb, step.reason) == (Verb.REFUSE, Reason.ALREADY_EXISTS)
    assert "set spec.adoptionPolicy to Adopt" in step.message
    bodies[0]["spec"]["adoptionPolicy"] = "Adopt"
    assert step_of(await planner(*bodies, live={}).plan(), "foreign").verb is Verb.ADOPT


async def test_a_group_that_status_knows_is_changed(planner: Any, coder: CoderAPI) -> None:
    created = coder.create_group("known", display_name="Old")
    bodies = [group("known", displayName="New")]
    key = step_of(await planner(*bodies).plan(), "known").key
    metadata = {"name": "known", "namespace": "default", "uid": "1", "resourceVersion": "1"}
    resource = Resource.from_body("CoderGroup", {"metadata": metadata, "status": {"id": created["id"]}})
    step = step_of(await planner(*bodies, live={key: resource}).plan(), "known")
    assert (step.verb, step.message) == (Verb.CHANGE, "")


async def test_two_objects_that_claim_one_thing_are_both_refused(planner: Any) -> None:
    plan = await planner(group("twin-a", name="twin"), group("twin-b", name="twin")).plan()
    assert [(step.verb, step.reason) for step in plan.steps] == [(Verb.REFUSE, Reason.CONFLICT)] * 2
    assert "twin-b (" in plan.steps[0].message


async def test_who_is_declared_beside_is_said_to_be_made(planner: Any) -> None:
    found = group("crew", members=members("NEW@example.com", "by-name", "nobody@example.com"))
    plan = await planner(found, user("by-name", email="new@example.com")).plan()
    promised = step_of(plan, "crew").promised
    assert {name: key.name for name, key in promised.items()} == {"NEW@example.com": "by-name", "by-name": "by-name"}
    assert "NEW@example.com (made by CoderUser default/by-name)" in render(plan, Output.TEXT)
    assert '"madeBy": {' in render(plan, Output.JSON)


async def test_objects_of_a_suspended_deployment_wait(planner: Any, server: CoderServer) -> None:
    step = step_of(
        await planner(deployment(server.url, suspendUntil="2999-01-01T00:00:00Z"), group("late")).plan(), "late"
    )
    assert (step.verb, step.reason) == (Verb.WAIT, Reason.WAITING_FOR_DEPLOYMENT)


async def test_a_deployment_without_a_spec_is_a_fault(planner: Any, server: CoderServer) -> None:
    body = deployment(server.url)
    del body["spec"]
    plan = await planner(body, group("late")).plan()
    assert len(plan.faults) == 1
    assert step_of(plan, "late").verb in (Verb.FAIL, Verb.WAIT)


async def test_an_acl_waits_for_its_template_by_name(planner: Any) -> None:
    step = step_of(
        await planner(template_acl("docker", template={"name": "none"})).plan(), "docker", "CoderTemplateACL"
    )
    assert (step.verb, step.reason) == (Verb.WAIT, Reason.WAITING_FOR_TEMPLATE)


@pytest.mark.parametrize("how", [{"suspend": True}, {"suspendUntil": "2999-01-01T00:00:00Z"}], ids=str)
async def test_a_suspended_object_is_let_be(planner: Any, how: dict[str, Any]) -> None:
    step = step_of(await planner(group("resting", **how)).plan(), "resting")
    assert (step.verb, step.reason) == (Verb.UNCHANGED, Reason.SUSPENDED)


async def test_what_was_suspended_until_a_time_that_is_over_is_planned(planner: Any) -> None:
    step = step_of(await planner(group("rested", suspendUntil="2020-01-01T00:00:00Z")).plan(), "rested")
    assert step.verb is Verb.CREATE


async def test_what_is_only_observed_is_shown_and_not_counted_as_a_change(planner: Any, coder: CoderAPI) -> None:
    coder.create_group("observed", display_name="Old")
    plan = await planner(group("observed", displayName="New", managementPolicy="Plan")).plan()
    assert step_of(plan, "observed").changes
    assert not plan.acts


async def test_a_deployment_among_the_manifests_is_asked_with_its_own_secret(planner: Any, server: CoderServer) -> None:
    bodies = [deployment(server.url), secret(token=server.token), group("by-secret")]
    plan = await planner(*bodies, access=Access()).plan()
    assert step_of(plan, "by-secret").verb is Verb.CREATE
    assert list(plan.servers.values()) == [server.url]


async def test_a_token_may_come_from_the_environment(planner: Any, server: CoderServer) -> None:
    access = Access(tokens={"coder": server.token})
    plan = await planner(deployment(server.url), group("by-variable"), access=access).plan()
    assert step_of(plan, "by-variable").verb is Verb.CREATE


async def test_without_any_access_the_way_to_give_it_is_told(planner: Any) -> None:
    step = step_of(await planner(group("lost"), access=Access()).plan(), "lost")
    assert step.verb is Verb.FAIL
    assert "--token-from-env coder=VARIABLE" in step.message


async def test_another_namespace_needs_the_consent_of_the_deployment(planner: Any, server: CoderServer) -> None:
    body = group("stranger", deploymentRef={"name": "coder", "namespace": "default"})
    body["metadata"]["namespace"] = "elsewhere"
    bodies = [deployment(server.url), secret(token=server.token), body]
    step = step_of(await planner(*bodies, access=Access()).plan(), "stranger")
    assert (step.verb, step.reason) == (Verb.REFUSE, Reason.NOT_ALLOWED)
    bodies[0]["spec"]["allowedNamespaces"] = ["elsewhere"]
    assert step_of(await planner(*bodies, access=Access()).plan(), "stranger").verb is Verb.CREATE


async def test_a_namespace_is_selected_by_labels_that_are_among_the_manifests(
    planner: Any, server: CoderServer
) -> None:
    body = group("selected", deploymentRef={"name": "coder", "namespace": "default"})
    body["metadata"]["namespace"] = "elsewhere"
    allow = [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]
    bodies = [deployment(server.url, allow=allow), secret(token=server.token), body]
    step = step_of(await planner(*bodies, access=Access()).plan(), "selected")
    assert (step.verb, step.reason) == (Verb.REFUSE, Reason.NOT_ALLOWED)
    assert "add its Namespace to the manifests" in step.message
    labelled = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere", "labels": {"team": "a"}}}
    assert step_of(await planner(*bodies, labelled, access=Access()).plan(), "selected").verb is Verb.CREATE


async def test_roles_that_would_be_taken_need_consent_as_well(
    planner: Any, server: CoderServer, coder: CoderAPI
) -> None:
    coder.set_roles(coder.create_user("promoted")["id"], "owner")
    body = user("promoted", roles=[], adoptionPolicy="Adopt", deploymentRef={"name": "coder", "namespace": "default"})
    body["metadata"]["namespace"] = "elsewhere"
    allow = [{"namespaces": ["elsewhere"], "roles": ["auditor"]}]
    bodies = [deployment(server.url, allow=allow), secret(token=server.token), body]
    step = step_of(await planner(*bodies, access=Access()).plan(), "promoted", "CoderUser")
    assert (step.verb, step.reason) == (Verb.REFUSE, Reason.NOT_ALLOWED)
    assert "roles: owner" in step.message


@pytest.mark.parametrize(
    ("url", "token", "reason"),
    [("http://127.0.0.1:1", "x-y", Reason.UNREACHABLE), ("", "none-none", Reason.UNAUTHORIZED)],
    ids=["away", "wrong token"],
)
async def test_a_server_that_cannot_be_asked_makes_the_plan_fail(
    planner: Any, server: CoderServer, url: str, token: str, reason: Reason
) -> None:
    plan = await planner(group("one"), group("two"), access=Access(url or server.url, token)).plan()
    assert [step.reason for step in plan.steps] == [reason] * 2
    assert plan.failed


async def test_a_plan_writes_nothing(planner: Any, coder: CoderAPI) -> None:
    before = coder.audit_count()
    await planner(group("unwritten"), proxy("unwritten"), user("unwritten"), appearance(applicationName="X")).plan()
    assert coder.audit_count() == before


async def test_no_token_is_in_a_plan(planner: Any, server: CoderServer) -> None:
    bodies = [deployment(server.url), secret(token=server.token), group("quiet")]
    instance = planner(*bodies, access=Access(tokens={"coder": server.token}))
    plan = await instance.plan()
    assert server.token not in repr(plan) + repr(plan.as_dict()) + repr(instance.access)


def test_offline_shows_what_needs_no_server(planner: Any) -> None:
    plan = planner(
        group("fine"),
        group("broken", quotaAllowance="many"),
        template_acl("lonely", groups=[{"groupRef": {"name": "none"}, "role": "use"}]),
        access=Access(),
    ).offline()
    assert plan.failed
    assert "spec.quotaAllowance" in plan.faults[0].message
    assert "CoderGroup default/none is not among the manifests" in step_of(plan, "lonely", "CoderTemplateACL").message


async def test_many_objects_cost_a_few_lists(planner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    request = Transport._request

    async def counted(self: Transport, call: Call, *arguments: Any, **named: Any) -> Any:
        asked.append(call.operation)
        return await request(self, call, *arguments, **named)

    monkeypatch.setattr(Transport, "_request", counted)
    people = members("nobody@example.com")
    await planner(*(group(f"many-{number}", members=people) for number in range(50))).plan()
    assert len([operation for operation in asked if operation.endswith(".list")]) <= 4
    assert len(asked) <= 8, asked
