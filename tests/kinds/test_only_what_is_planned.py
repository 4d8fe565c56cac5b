"""Nothing is written, by any kind, that a plan did not name first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from aiohttp import web

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.appearance import AppearanceSpec
from coder_enterprise.kinds.machinery.base import Context, ManagedKind, Observation
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import ManagedSpec
from coder_enterprise.kinds.registry import MANAGED_KINDS
from tests.kinds.appearance import builders as appearance
from tests.kinds.group import builders as group
from tests.kinds.license import builders as license_
from tests.kinds.proxy import builders as proxy
from tests.kinds.template_acl import builders as acl
from tests.kinds.user import builders as user
from tests.support.beside import Beside
from tests.support.manifests import workload
from tests.support.scripted import Scripted


@dataclass(frozen=True)
class Case:
    kind: ManagedKind[Any, Any]
    desired: ManagedSpec
    seen: Observation

    @property
    def plan(self) -> Sequence[Change]:
        changes: Sequence[Change] = self.kind.plan(self.desired, self.seen, {})
        return changes


_GROUP: Final = group.spec(users=["ann"], displayName="Platform")
_ACL: Final = acl.spec(users={"anna": "use"}, everyone="none")
_LOOKS: Final = AppearanceSpec.model_validate({"applicationName": "Acme", "announcementBanners": []})
_RENEWED: Final = license_.observed(license_.claims(), license_.license_(2), license_.license_(1), intended=True)

CASES: Final = (
    Case(group.KIND, _GROUP, group.observed(_GROUP, None)),
    Case(group.KIND, _GROUP, group.observed(_GROUP, group.group("bob"))),
    Case(user.KIND, user.spec(roles=["auditor"], state="suspended"), user.observed()),
    Case(user.KIND, user.spec(roles=["auditor"], name="Ann"), user.observed(user.user())),
    Case(license_.KIND, license_.spec(), license_.observed(license_.claims())),
    Case(
        license_.KIND,
        license_.spec(),
        license_.observed(license_.claims(), license_.license_(2), license_.license_(1), intended=True),
    ),
    Case(proxy.KIND, proxy.spec(workload=workload()), proxy.no_proxy()),
    Case(proxy.KIND, proxy.spec(displayName="New"), proxy.observed(secret=None)),
    Case(acl.KIND, _ACL, acl.observed(_ACL, {acl.user("beth"): "admin"})),
    Case(appearance.KIND, _LOOKS, appearance.observed(appearance.new(appearance.shown("A")))),
)


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
def context(server: Scripted, client: CoderClient, beside: Beside) -> Context:
    return Context(client=client, directory=Directory(client), beside=beside, users_newer_than=float("-inf"))


def test_all_kinds_are_tried() -> None:
    assert {type(case.kind) for case in CASES} == {type(kind) for kind in MANAGED_KINDS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.names.kind)
async def test_an_empty_plan_writes_nothing(server: Scripted, context: Context, beside: Beside, case: Case) -> None:
    assert case.plan, "it differs"
    server.answer(acl.ACL, {"users": [], "group": []})
    after = await case.kind.apply(context, case.desired, case.seen, [])
    assert [asked.path for asked in server.asked if asked.method != "GET"] == []
    assert beside.writes == []
    assert after.external_id == case.seen.external_id


async def test_a_part_of_the_appearance_that_no_plan_named_stays(server: Scripted, context: Context) -> None:
    server.reply("/appearance", appearance.echo, method="PUT")
    seen = appearance.observed(appearance.new(appearance.shown("A"), logo_url="/old.png"))
    desired = appearance.spec(applicationName="Acme", logoURL="/new.png", announcementBanners=[])
    [name, *_] = appearance.KIND.plan(desired, seen, {})
    await appearance.KIND.apply(context, desired, seen, [name])
    sent = appearance.sent(server)
    assert (sent["application_name"], sent["logo_url"]) == ("Acme", "/old.png")
    assert sent["announcement_banners"] == [appearance.shown("A")]


async def test_a_setting_of_a_proxy_that_no_plan_named_stays(server: Scripted, context: Context) -> None:
    server.reply(f"/workspaceproxies/{proxy.PROXY_ID}", lambda asked: web.Response(status=500), method="PATCH")
    desired, seen = proxy.spec(displayName="New", icon="/new.png"), proxy.observed()
    [first, *_] = proxy.KIND.plan(desired, seen, proxy.RECORDED)
    with pytest.raises(Exception, match="500"):
        await proxy.KIND.apply(context, desired, seen, [first])
    assert '"icon":"/eu.png"' in server.asked[-1].body


async def test_roles_that_coder_gives_a_new_user_are_not_taken_before_a_plan_says_so(
    server: Scripted, context: Context
) -> None:
    people = user.People(server)

    def create(_: Any) -> web.Response:
        people.put(user.ANN, "ann", roles=["template-admin"])
        return people._answer(people.users[user.ANN], 201)

    server.reply("/users", create, method="POST")
    desired, seen = user.spec(roles=["auditor"]), replace(user.observed(), organization_id=user.ORGANIZATION)
    named = user.KIND.plan(desired, seen, {})
    after = await user.KIND.apply(context, desired, seen, named)
    assert people.writes()[1:] == [f'PUT /users/{user.ANN}/roles {{"roles":["auditor","template-admin"]}}']
    assert [str(change) for change in user.KIND.plan(desired, after, {})] == ["spec.roles: remove template-admin"]
    assert user.KIND.verdict(desired, after).revisit, "the rest comes with the next plan, and soon"
