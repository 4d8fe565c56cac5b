"""What a Coder has comes out as manifests which, planned against it, change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from coder_enterprise.client import errors
from coder_enterprise.kinds.group.kind import GroupKind
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.planner import exporting
from coder_enterprise.planner.exporting import Export, Selection, export, object_names
from coder_enterprise.planner.manifests import read
from coder_enterprise.planner.planning import Planner
from coder_enterprise.planner.plans import Plan, Verb
from coder_enterprise.planner.servers import Access, environment_context
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer


@pytest.fixture(scope="module", autouse=True)
def content(server: CoderServer) -> None:
    """Something has happened in this Coder."""
    api = CoderAPI(server.url, server.token)
    ann, ben = api.create_user("ann"), api.create_user("ben")
    api.suspend_user(ben["id"])
    api.set_roles(ann["id"], "auditor")
    api.set_schedule("ann", "CRON_TZ=Europe/Berlin 30 2 * * *")
    data = api.create_group("data", display_name="Data: team", quota_allowance=5)
    api.patch_group(data["id"], add_users=[ann["id"], ben["id"]])
    api.create_group("Data-Team")
    api.create_group("data-team")
    template = api.create_template("docker")
    api.patch_acl(template["id"], user_perms={ann["id"]: "admin"}, group_perms={data["id"]: "use"})
    api.create_template("untouched")
    api.create_proxy("eu", display_name="Europe", icon="/emojis/1f1ea.png")
    api.put_appearance(application_name="ACME # not a comment\n", logo_url="/logo.png")
    api.close()


@pytest.fixture
def exported(server: CoderServer) -> Callable[..., Any]:
    async def make(selection: Selection = Selection()) -> Export:  # noqa: B008 - it is frozen
        context = environment_context({"CODER_URL": server.url, "CODER_SESSION_TOKEN": server.token})
        try:
            return await export(context, selection, lambda done, of: None)
        finally:
            await context.client.close()

    return make


async def planned(server: CoderServer, found: Export, folder: Path, **settings: Any) -> Plan:
    for path, text in found.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return await Planner(read([str(folder)]), Access(server.url, server.token), **settings).plan()


async def test_planning_an_export_finds_nothing_to_do(exported: Any, server: CoderServer, tmp_path: Path) -> None:
    plan = await planned(server, await exported(), tmp_path)
    assert not plan.faults
    told = {step.key: step.verb for step in plan.steps if step.verb is not Verb.UNCHANGED}
    assert [(key.kind, verb) for key, verb in told.items()] == [("CoderLicense", Verb.WAIT)]  # for its Secret
    [licence] = [step for step in plan.steps if step.verb is Verb.WAIT]
    assert "kubectl create secret generic license-1 --from-file=license=FILE" in licence.message
    assert not plan.refuses


async def test_objects_that_are_new_to_the_cluster_adopt_it_all(
    exported: Any, server: CoderServer, tmp_path: Path
) -> None:
    plan = await planned(server, await exported(), tmp_path, live={})
    assert [step.key.kind for step in plan.steps if step.verb is Verb.WAIT] == ["CoderLicense"]
    assert not plan.refuses
    assert not plan.acts


async def test_two_exports_are_the_same_bytes(exported: Any) -> None:
    assert (await exported()).files == (await exported()).files


async def test_names_that_kubernetes_takes_for_one_are_told_apart(exported: Any) -> None:
    files = (await exported()).files
    names = {path: yaml.safe_load(text)["spec"].get("name") for path, text in files.items() if "data-team" in path}
    assert names.pop("codergroups/data-team.yaml") is None  # its own name
    assert list(names.values()) == ["Data-Team"]


async def test_quiet_hours_are_declared_where_people_chose_them(exported: Any) -> None:
    files = (await exported()).files
    ann, ben = (yaml.safe_load(files[f"coderusers/{name}.yaml"])["spec"] for name in ("ann", "ben"))
    assert ann["quietHours"] == {"schedule": "CRON_TZ=Europe/Berlin 30 2 * * *"}
    assert "quietHours" not in ben


async def test_a_group_that_is_exported_is_referred_to_as_an_object(exported: Any, server: CoderServer) -> None:
    acl = yaml.safe_load((await exported()).files["codertemplateacls/docker.yaml"])["spec"]
    assert acl["users"] == [{"user": "ann@example.com", "role": "admin"}]
    if "groups" in acl:  # in the documented profile nobody is shown which groups have a role
        assert acl["groups"] == [{"groupRef": {"name": "data"}, "role": "use"}]
    alone = (await exported(Selection(kinds=frozenset({"CoderTemplateACL"})))).files
    assert "groupRef" not in alone["codertemplateacls/docker.yaml"]


async def test_what_a_person_must_decide_is_a_comment(exported: Any) -> None:
    files = (await exported()).files
    assert "# suspended: ben@example.com" in files["codergroups/data.yaml"]
    assert "# only observed: " in files["coderworkspaceproxies/eu.yaml"]
    assert "state: suspended" in files["coderusers/ben.yaml"]


async def test_the_person_whose_token_it_is_is_left_out(exported: Any) -> None:
    users = [path for path in (await exported()).files if path.startswith("coderusers/")]
    assert users == ["coderusers/ann.yaml", "coderusers/ben.yaml"]


async def test_secrets_are_references_with_the_command_that_makes_them(exported: Any, server: CoderServer) -> None:
    found = await exported()
    assert server.token not in repr(found)
    assert all(command.startswith("kubectl create secret generic ") for command in found.secrets.values())


@pytest.mark.parametrize(
    ("selection", "paths"),
    [
        (Selection(kinds=frozenset({"CoderUser"}), pattern="a*"), {"coderusers/ann.yaml"}),
        (Selection(kinds=frozenset({"CoderGroup"}), organization="coder", pattern="Data"), set()),
    ],
    ids=["by name", "by organization"],
)
async def test_a_part_can_be_selected(exported: Any, selection: Selection, paths: set[str]) -> None:
    assert set((await exported(selection)).files) - {"coderdeployment.yaml", "kustomization.yaml"} == paths


async def hostile(
    monkeypatch: pytest.MonkeyPatch, *found: Declaration, fault: errors.APIError | None = None, beside: str = ""
) -> Export:
    """An export of a Coder that has these groups, or answers so."""

    async def declarations(context: Context, names: Mapping[str, str]) -> list[Declaration]:
        if fault is not None:
            raise fault
        return list(found)

    kind = SimpleNamespace(names=GroupKind.names, spec_model=GroupKind.spec_model, declarations=declarations)
    monkeypatch.setattr(exporting, "MANAGED_KINDS", [kind])

    async def everything(*_: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(exporting, "unseen", everything)
    context: Any = SimpleNamespace(client=SimpleNamespace(settings=SimpleNamespace(url="http://coder.test")))
    return await export(context, Selection(), lambda done, of: None, [beside] if beside else [])


def named(title: str, organization: str = "", **spec: Any) -> Declaration:
    external_id = f"{title}@{organization}"
    return Declaration(external_id, title, spec, organization=organization, at_home=not organization)


async def test_names_that_lead_elsewhere_stay_in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [
        named("a", "../../etc"),
        named("a", "../b"),
        named("../../a", "x"),
        named("kustomization"),
        named("\u202e"),
    ]
    found = await hostile(monkeypatch, *groups)
    paths = {path for path in found.files if "/" in path}
    assert {f"codergroups/{name}.yaml" for name in ("etc-a", "b-a", "unnamed", "x-a")} < paths
    [other] = [path for path in paths if "kustomization" in path]
    assert re.fullmatch(r"codergroups/kustomization-[0-9a-f]{8}\.yaml", other)


def test_a_name_depends_neither_on_other_organizations_nor_on_what_else_there_is() -> None:
    ours = [named("data"), named("Data"), named("data", "zeta"), named("Other Team", "zeta")]
    before = object_names(ours)
    assert before["data@"] == "data"
    assert before["data@zeta"] == "zeta-data"
    assert before["Other Team@zeta"] == "zeta-other-team"
    newcomers = [named("data", "alpha"), named("zeta-data"), named("other"), named("DATA")]
    after = object_names([*newcomers, *reversed(ours)])
    assert after["data@"] == "data"
    assert after["Data@"] == before["Data@"]
    assert after["Other Team@zeta"] == before["Other Team@zeta"]
    assert len(set(after.values())) == len(ours) + len(newcomers)


async def test_a_name_does_not_depend_on_what_is_selected(exported: Any) -> None:
    everything = await exported()
    part = await exported(Selection(pattern="Data-Team"))
    assert {path for path in part.files if path.startswith("codergroups/")} <= everything.files.keys()


async def test_same_names_in_many_organizations_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [replace(named("same", f"org-{number // 3}"), external_id=str(number)) for number in range(9)]
    found = await hostile(monkeypatch, *groups)
    assert len([path for path in found.files if "/" in path]) == found.counts["CoderGroup"] == 9


async def test_names_that_kubernetes_takes_for_something_else_are_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["1e3", "y", "N", "0o17", "1_000", "089", "true", "null", "2027-01-01", "12:30:45", "0x1f", "1.5"]
    found = await hostile(monkeypatch, *(named(word, displayName=word) for word in words))
    (tmp_path / "all.yaml").write_text("---\n".join(text for path, text in found.files.items() if "/" in path))
    read_back = read([str(tmp_path)])
    assert not read_back.faults
    shown = {each.body["spec"]["displayName"] for each in read_back.objects.values()}
    assert shown == set(words)


async def test_an_organization_that_is_not_there_is_named(exported: Any) -> None:
    with pytest.raises(exporting.UnknownOrganization, match="sees no organization none; there are "):
        await exported(Selection(organization="none"))


async def test_what_the_token_may_not_see_is_noted_and_its_files_stay(server: CoderServer, coder: CoderAPI) -> None:
    token = coder.create_token(coder.create_user("nosy")["id"])
    context = environment_context({"CODER_URL": server.url, "CODER_SESSION_TOKEN": token})
    try:
        found = await export(context, Selection(), lambda done, of: None, ["codergroups/data.yaml"])
    finally:
        await context.client.close()
        coder.delete_user(coder.user("nosy")["id"])
    assert "not every CoderGroup: the token may not read group, read user" in found.notes
    assert found.standing == {"codergroups/data.yaml"}


async def test_what_cannot_be_declared_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await hostile(monkeypatch, named("n" * 2000, name="n" * 2000), named("fine"))
    assert (found.counts, len(found.notes)) == ({"CoderGroup": 1}, 1)
    assert found.notes[0].startswith("CoderGroup nnnn")
    assert "cannot be declared: spec.name: " in found.notes[0]
    assert len(found.notes[0]) < 200


async def test_files_of_what_coder_does_not_show_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = errors.Forbidden(403, "not licensed any more")
    found = await hostile(monkeypatch, fault=fault, beside="codergroups/a.yaml")
    assert found.notes[0] == "no CoderGroup: Coder answered 403: not licensed any more"
    assert found.standing == {"codergroups/a.yaml"}
    assert "codergroups/a.yaml" in found.files["kustomization.yaml"]
    assert not (await hostile(monkeypatch, beside="codergroups/a.yaml")).standing


async def test_a_server_with_a_fault_has_no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.ServerError):
        await hostile(monkeypatch, fault=errors.ServerError(500, "out of order"))
