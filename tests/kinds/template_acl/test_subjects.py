"""Whom an ACL is about, as far as they exist; and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource
from tests.kinds.template_acl.builders import ACL, GROUP, KIND, OTHER_GROUP, Body, Visits, people, resource, spec, user
from tests.support.beside import Beside
from tests.support.old_coder import ORGANIZATION, TEMPLATE, OldCoder
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Scripted


def coder_group(status: Body | None = None, *, deleting: bool = False, **declared: Any) -> Resource:
    metadata: Body = {"namespace": "default", "name": "data", "uid": "u2", "resourceVersion": "1"}
    if deleting:
        metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]}
    return Resource.from_body("CoderGroup", {"metadata": metadata, "spec": declared, "status": status or {}})


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
