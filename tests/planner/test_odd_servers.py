"""Servers that are slow, old, new, unlicensed, no Coder at all, or do not show everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typing_extensions import override

from coder_enterprise.client import http
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.planner.applying import Applier, Outcome
from coder_enterprise.planner.exporting import Selection, export
from coder_enterprise.planner.manifests import Manifests, read
from coder_enterprise.planner.planning import Planner
from coder_enterprise.planner.plans import Plan, Verb
from coder_enterprise.planner.servers import Access, environment_context
from tests.support.manifests import group
from tests.support.scripted import HTML, NO_ROUTE, TOKEN, Scripted, no_proxies, raw_server, server
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer

__all__ = ["no_proxies", "server"]
ME = {"id": "1e000000-0000-4000-8000-000000000000", "username": "admin", "email": "admin@example.com", "roles": []}
ORGANIZATION = {"id": "0e000000-0000-4000-8000-000000000000", "name": "coder", "is_default": True}


@pytest.fixture
def manifests(tmp_path: Path) -> Manifests:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([group("one"), group("two")]))
    return read([str(tmp_path)])


async def planned(manifests: Manifests, url: str, token: str = TOKEN) -> Plan:
    return await Planner(manifests, Access(url, token)).plan()


def told(plan: Plan) -> set[tuple[Verb, Reason | None]]:
    return {(step.verb, step.reason) for step in plan.steps}


def admit(server: Scripted) -> None:
    """Answers as far as a plan needs before it looks at groups."""
    server.answer("/users/me", ME)
    server.answer("/organizations/default", ORGANIZATION)


async def test_a_login_page_is_no_coder(server: Scripted, manifests: Manifests) -> None:
    server.answer("/users/me", text=HTML)
    assert told(await planned(manifests, server.url)) == {(Verb.FAIL, Reason.UNEXPECTED_ANSWER)}


async def test_a_server_that_does_not_answer_in_time_is_a_failure(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.05)

    async def silent(reader: Any, writer: Any) -> None:
        await reader.read()

    async with raw_server(silent) as url:
        assert told(await planned(manifests, url)) == {(Verb.FAIL, Reason.UNREACHABLE)}


async def test_a_server_without_the_feature_lets_objects_wait(manifests: Manifests) -> None:
    with CoderServer(licensed=False) as unlicensed:
        plan = await planned(manifests, unlicensed.url, unlicensed.token)
    assert told(plan) == {(Verb.WAIT, Reason.NOT_ENTITLED)}
    assert not any((plan.failed, plan.refuses, plan.acts))


async def test_the_open_source_build_serves_no_groups(server: Scripted, manifests: Manifests) -> None:
    admit(server)
    server.answer("/entitlements", NO_ROUTE, status=404)
    assert told(await planned(manifests, server.url)) == {(Verb.REFUSE, Reason.NOT_SERVED)}


async def test_the_open_source_build_is_exported_with_its_people(server: Scripted) -> None:
    ann = {"id": "2e000000-0000-4000-8000-000000000000", "username": "ann", "email": "ann@example.com", "roles": []}
    admit(server)
    server.answer("/organizations", [ORGANIZATION])
    server.answer("/users", {"users": [ME, ann | {"organization_ids": [ORGANIZATION["id"]]}], "count": 2})
    context = environment_context({"CODER_URL": server.url, "CODER_SESSION_TOKEN": TOKEN})
    found = await export(context, Selection(), lambda done, of: None)
    await context.client.close()
    assert found.counts == {"CoderUser": 1}
    assert yaml.safe_load(found.files["coderusers/ann.yaml"])["spec"]["email"] == "ann@example.com"
    assert any(note.startswith("no CoderGroup: this Coder has no groups: it is the open") for note in found.notes)


async def test_a_version_that_nobody_knows_is_planned_by_what_it_answers(
    server: Scripted, manifests: Manifests
) -> None:
    admit(server)
    server.answer("/buildinfo", {"version": "v99.0.0-devel+tomorrow", "external_url": ""})
    feature = {"enabled": True, "entitlement": "entitled", "of": "tomorrow"}
    server.answer("/entitlements", {"features": {"template_rbac": feature, "new": feature}, "has_license": True})
    server.answer(f"/organizations/{ORGANIZATION['id']}/groups", [])
    server.answer("/users", {"users": [], "count": 0, "next": None})
    plan = await planned(manifests, server.url)
    assert told(plan) == {(Verb.CREATE, None)}
    assert not plan.notes


async def test_what_the_token_may_not_see_is_noted(manifests: Manifests) -> None:
    with CoderServer() as coder_server:
        api = CoderAPI(coder_server.url, coder_server.token)
        api.create_user("ann")
        plan = await planned(manifests, coder_server.url, api.create_token("ann"))
        api.close()
    [note] = plan.notes
    assert "may not read group, read user: what exists may be told as something to create" in note


async def test_a_server_that_dies_between_observe_and_apply_leaves_nothing_half_done(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CoderServer() as mortal:
        access = Access(mortal.url, mortal.token)

        class Dying(Applier):
            @override
            async def _carry_out(self, *parts: Any) -> None:
                if mortal.runs:
                    mortal.kill()
                await super()._carry_out(*parts)

        result = await Dying(manifests, access).apply()
        assert set(result.outcomes.values()) == {Outcome.FAILED}
        mortal.start()
        again = await Applier(manifests, Access(mortal.url, mortal.token)).apply()
        assert set(again.outcomes.values()) == {Outcome.APPLIED}
