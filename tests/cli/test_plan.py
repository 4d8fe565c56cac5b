"""The commands that work from manifests, as people and pipelines call them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from coder_enterprise.cli.cluster import agreed
from coder_enterprise.cli.main import app
from coder_enterprise.planner import exporting, files
from coder_enterprise.planner.planning import Planner
from coder_enterprise.planner.plans import VERSION
from tests.support.manifests import Body, deployment, group, template_acl
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer


@pytest.fixture(scope="module")
def server() -> Iterator[CoderServer]:
    """For all tests here: each has names of its own."""
    with CoderServer() as process:
        yield process


@pytest.fixture
def run(server: CoderServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("CODER_URL", server.url)
    monkeypatch.setenv("CODER_SESSION_TOKEN", server.token)

    def call(*arguments: object, **settings: Any) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], **settings)

    return call


def manifest(folder: Path, *bodies: Body) -> Path:
    path = folder / "all.yaml"
    path.write_text(yaml.safe_dump_all(bodies))
    return path


def test_a_plan_ends_with_one_line_that_counts(run: Any, tmp_path: Path) -> None:
    result = run("plan", "-f", manifest(tmp_path, group("counted", displayName="Counted")))
    assert result.exit_code == 0, result.output
    assert "+ default/counted: create counted" in result.stdout
    assert result.stdout.rstrip().endswith("Plan: 1 to create, 0 to change, 0 to delete, 0 waiting, 0 unchanged")


RIVALS = (group("one-rival", name="disputed"), group("other-rival", name="disputed"))


@pytest.mark.parametrize(
    ("bodies", "code"),
    [
        ([group("idle", suspend=True)], 0),
        ([template_acl("no-such-template")], 0),
        ([group("new-here")], 2),
        (RIVALS, 1),
        ([group("new-here"), *RIVALS], 1),
    ],
    ids=["nothing", "waiting", "changes", "refused", "changes and refused"],
)
@pytest.mark.parametrize("command", ["plan", "diff"])
def test_the_exit_code_is_the_answer(run: Any, tmp_path: Path, command: str, bodies: list[Body], code: int) -> None:
    path = manifest(tmp_path, *bodies)
    assert run(command, "-f", path, "--exit-code").exit_code == code
    assert run(command, "-f", path).exit_code == 0


def test_manifests_come_from_standard_input(run: Any) -> None:
    result = run("plan", "-f", "-", input=yaml.safe_dump(group("piped")))
    assert "create piped" in result.stdout


def test_bad_manifests_are_named_by_file_and_line_and_fail(run: Any, tmp_path: Path) -> None:
    path = manifest(tmp_path, group("fine"), group("bad", quotaAllowance="many"))
    result = run("plan", "-f", path)
    assert result.exit_code == 1
    assert f"invalid: {path}:" in result.stdout
    assert "CoderGroup default/bad: spec.quotaAllowance: " in result.stdout


def test_the_json_has_a_version_and_the_changes(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    coder.create_group("in-json", display_name="Old")
    document = json.loads(
        run("plan", "-f", manifest(tmp_path, group("in-json", displayName="New")), "-o", "json").stdout
    )
    assert document["version"] == "enterprise.coder.com/plan/v1"
    [step] = document["steps"]
    assert step["action"] == "change"
    assert step["changes"] == [{"action": "update", "path": "spec.displayName", "from": "Old", "to": "New"}]


def test_what_others_wrote_is_no_markup_in_a_review(run: Any, tmp_path: Path) -> None:
    body = group("marked", displayName="<b>@everybody</b> | [x](http://x) `y`")
    text = run("plan", "-f", manifest(tmp_path, {**body, "spec": {**body["spec"]}}), "-o", "markdown").stdout
    assert "<b>" not in text
    assert "@everybody" not in text


@pytest.mark.parametrize(
    ("body", "said"),
    [(group("bad", quotaAllowance="many"), "::error"), (RIVALS[0], "::warning")],
    ids=["invalid", "refused"],
)
def test_github_is_told_where_something_is_wrong(run: Any, tmp_path: Path, body: Body, said: str) -> None:
    folder = tmp_path / "odd: 5,%"
    folder.mkdir()
    path = manifest(folder, body, *RIVALS[1:])
    told = str(path).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    assert f"{said} file={told},line=1::CoderGroup default/" in run("plan", "-f", path, "-o", "github").stdout


def test_github_is_told_no_file_where_there_is_none(run: Any) -> None:
    text = run("plan", "-f", "-", "-o", "github", input=yaml.safe_dump(group("bad", quotaAllowance="many"))).stdout
    assert text.startswith("::error::CoderGroup default/bad: ")


def test_what_is_no_longer_declared_is_told_by_a_former_plan(run: Any, tmp_path: Path) -> None:
    former = tmp_path / "former.json"
    former.write_text(run("plan", "-f", manifest(tmp_path, group("stays"), group("goes")), "-o", "json").stdout)
    result = run("plan", "-f", manifest(tmp_path, group("stays")), "--prune", "--former", former)
    assert "- default/goes: delete goes" in result.stdout
    assert "1 to delete" in result.stdout


@pytest.mark.parametrize(
    "spec", [{"deletionPolicy": "Retain"}, {"managementPolicy": "Observe"}, {"suspend": True}], ids=str
)
def test_what_stays_in_coder_is_not_told_as_a_deletion(run: Any, tmp_path: Path, spec: Body) -> None:
    former = tmp_path / "former.json"
    spec = {"deploymentRef": {"name": "prod"}, **spec}
    before = run("plan", "-f", manifest(tmp_path, group("stays"), group("kept", **spec)), "-o", "json").stdout
    former.write_text(before)
    plan = run("plan", "-f", manifest(tmp_path, group("stays")), "--prune", "--former", former)
    assert "0 to delete" in plan.stdout
    assert "CoderGroup default/kept: no longer declared; " in plan.stdout
    assert "in Coder" in plan.stdout


STEP = {"action": "create", "kind": "CoderGroup", "namespace": "a", "name": "b"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"version": "x", "steps": []}',
        "[1]",
        *(
            json.dumps({"version": VERSION, "steps": [STEP | {field: 5}]})
            for field in ("kind", "name", "deployment", "id")
        ),
    ],
)
def test_a_former_plan_that_is_none_is_one_line(run: Any, tmp_path: Path, text: str) -> None:
    former = tmp_path / "former.json"
    former.write_text(text)
    result = run("plan", "-f", manifest(tmp_path, group("x")), "--prune", "--former", former)
    assert result.exit_code == 1
    assert result.stderr.startswith("coder-enterprise plan: ") or "former.json" in result.stderr


def test_a_former_plan_without_an_end_is_not_read_to_it(run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(files, "MAX_FILE", 1 << 20)
    result = run("plan", "-f", manifest(tmp_path, group("x")), "--prune", "--former", "/dev/zero")
    assert (result.exit_code, "/dev/zero: has more than 1 MiB" in result.stderr) == (1, True)


@pytest.mark.parametrize("words", [("plan", "-f", "-"), ("export", "-o", "out")])
@pytest.mark.parametrize(
    "url", ["http://ann:s3cret@127.0.0.1:1", "http://127.0.0.1:1?key=s3cret", "127.0.0.1:1", "ftp://a", "http://a:b"]
)
def test_an_address_that_no_coder_can_have_is_refused_and_not_shown(
    run: Any, tmp_path: Path, monkeypatch: Any, words: Any, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODER_URL", url)
    result = run(*words, input="")
    (line,) = result.output.splitlines()
    assert (result.exit_code, "CODER_URL must" in line, "s3cret" in line) == (1, True, False)


@pytest.mark.parametrize("words", [("plan", "-f", "-"), ("export", "-o", "out")])
def test_a_token_is_read_as_people_put_it_into_variables(
    run: Any, server: CoderServer, tmp_path: Path, monkeypatch: Any, words: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODER_SESSION_TOKEN", f'"{server.token}"\n')
    assert run(*words, input="").exit_code == 0
    monkeypatch.setenv("CODER_SESSION_TOKEN", "s3cret\r\nX-Other: 1 2")
    result = run(*words, input="")
    (line,) = result.output.splitlines()
    assert (result.exit_code, "CODER_SESSION_TOKEN holds no session token" in line) == (1, True)
    assert "s3cret" not in line


def test_a_server_that_is_away_is_told_by_the_variable_that_names_it(
    run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CODER_URL", "http://127.0.0.1:1")
    result = run("export", "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr.endswith("check CODER_URL\n")) == (1, True)


def test_nothing_to_plan_is_said(run: Any) -> None:
    assert "nothing of this operator is among" in run("plan", "-f", "-", input="").stdout


@pytest.mark.parametrize("words", [("plan", "-f", ""), ("diff", "-f", ""), ("apply", "-f", ""), ("export", "-o", "")])
def test_an_empty_name_is_not_the_folder_in_which_one_is(
    run: Any, tmp_path: Path, monkeypatch: Any, words: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words).exit_code == 2
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_server_that_is_away_is_one_fact(run: Any, tmp_path: Path, monkeypatch: Any, command: str) -> None:
    monkeypatch.setenv("CODER_URL", "http://127.0.0.1:1")
    result = run(command, "-f", manifest(tmp_path, group("one"), group("two")))
    assert result.output.count("cannot be reached") == 1


def test_no_token_is_printed(run: Any, server: CoderServer, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MY_TOKEN", server.token)
    path = manifest(tmp_path, deployment(server.url), group("secretive"))
    for form in ("text", "json", "markdown", "github"):
        assert server.token not in run("plan", "-f", path, "-o", form, "--token-from-env", "coder=MY_TOKEN").output


@pytest.mark.parametrize("given", ["coder", "coder=", "coder=NOT_SET_ANYWHERE"])
def test_a_token_that_is_not_there_is_named_by_its_variable(run: Any, tmp_path: Path, given: str) -> None:
    result = run("plan", "-f", manifest(tmp_path, group("x")), "--token-from-env", given)
    assert result.exit_code == 2


def test_apply_asks_and_does_nothing_without_a_yes(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    result = run("apply", "-f", manifest(tmp_path, group("asked")), input="n\n")
    assert result.exit_code == 1
    assert coder.find_group("asked") is None


def test_apply_says_what_it_did(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    result = run("apply", "-f", manifest(tmp_path, group("done")), "--yes")
    assert result.stdout.rstrip().endswith("Apply: 1 applied, 0 failed, 0 refused, 0 left as it is, 0 unchanged")
    assert coder.find_group("done") is not None
    assert run("apply", "-f", manifest(tmp_path, group("done")), "--yes").exit_code == 0


def test_apply_fails_when_something_is_refused(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    assert run("apply", "-f", manifest(tmp_path, *RIVALS), "--yes").exit_code == 1
    result = run("apply", "-f", manifest(tmp_path, *RIVALS, group("beside-rivals")), "--yes")
    assert result.exit_code == 1
    assert "refused: CoderGroup default/one-rival: Conflict: " in result.stderr
    assert coder.find_group("beside-rivals") is not None
    assert coder.find_group("disputed") is None


def test_apply_applies_nothing_when_a_manifest_is_bad(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    result = run("apply", "-f", manifest(tmp_path, group("good"), group("bad", quotaAllowance="many")), "--yes")
    assert result.exit_code == 1
    assert coder.find_group("good") is None


def test_an_export_and_a_plan_of_it_find_nothing_to_do(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    coder.create_group("exported", display_name="Exported")
    result = run("export", "-o", tmp_path / "out", "--kinds", "codergroups,CoderUser")
    assert result.exit_code == 0, result.output
    plan = run("plan", "-f", tmp_path / "out", "--exit-code")
    assert plan.exit_code == 0, plan.output


def test_an_export_refuses_to_write_over_edits(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    created = coder.create_group("edited", display_name="One")
    run("export", "-o", tmp_path)
    path = tmp_path / "codergroups" / "edited.yaml"
    path.write_text(path.read_text() + "# mine\n")
    coder.patch_group(created["id"], display_name="Two")
    result = run("export", "-o", tmp_path)
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "# mine" in path.read_text()
    assert run("export", "-o", tmp_path, "--force").exit_code == 0
    assert "displayName: Two" in path.read_text()


def test_an_export_without_the_address_says_what_to_set(run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("CODER_URL")
    result = run("export", "-o", tmp_path)
    assert (result.exit_code, "CODER_URL must be set" in result.stderr) == (1, True)


def test_an_export_of_what_terraform_manages_says_how_terraform_lets_go(
    run: Any, coder: CoderAPI, tmp_path: Path
) -> None:
    created = coder.create_group("terraformed", display_name="Terraformed")
    coder.create_group("by-hand")
    instance = {"attributes": {"id": created["id"]}}
    resource = {"mode": "managed", "type": "coderd_group", "name": "it", "instances": [instance]}
    state = tmp_path / "terraform.tfstate"
    state.write_text(json.dumps({"version": 4, "resources": [resource]}))
    result = run("export", "-o", tmp_path / "out", "--from-terraform", state)
    assert "  terraform state rm coderd_group.it" in result.stdout
    assert [path.name for path in (tmp_path / "out" / "codergroups").iterdir()] == ["terraformed.yaml"]


@pytest.mark.parametrize("form", ["text", "markdown", "github"])
def test_what_a_terminal_or_a_pipeline_would_obey_is_shown(run: Any, tmp_path: Path, form: str) -> None:
    title = "\x1b[2J\u202e\r\n::set-env name=A::b"
    kind = {"apiVersion": "enterprise.coder.com/v1alpha1", "kind": title, "metadata": {"name": "x"}}
    appearance = {"apiVersion": "enterprise.coder.com/v1alpha1", "kind": "CoderAppearance", "metadata": {"name": "x"}}
    path = manifest(tmp_path, kind, {**appearance, "spec": {"applicationName": title}})
    output = run("plan", "-f", path, "-o", form).output
    assert not {"\x1b", "\u202e", "\r"} & set(output)
    assert "\n::set-env" not in output


@pytest.mark.parametrize("command", ["plan", "apply", "export"])
def test_an_interruption_is_one_line(run: Any, tmp_path: Path, monkeypatch: Any, command: str) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Planner, "plan", interrupted)
    monkeypatch.setattr(exporting, "export", interrupted)
    where = ["-o", tmp_path] if command == "export" else ["-f", manifest(tmp_path, group("one"))]
    result = run(command, *where)
    assert (result.exit_code, result.stderr) == (130, f"coder-enterprise {command}: interrupted\n")


@pytest.mark.parametrize(("cause", "ends"), [(KeyboardInterrupt, True), (EOFError, False)])
def test_an_interrupted_question_ends_the_command(monkeypatch: Any, cause: type[BaseException], ends: bool) -> None:
    def confirm(*_: object, **__: object) -> None:
        try:
            raise cause
        except cause:
            raise typer.Abort from None

    monkeypatch.setattr(typer, "confirm", confirm)
    if not ends:
        assert not agreed("Really?")
        return
    with pytest.raises(typer.Exit) as ended:
        agreed("Really?")
    assert ended.value.exit_code == 130


def test_a_question_without_an_answer_is_no(run: Any, coder: CoderAPI, tmp_path: Path) -> None:
    result = run("apply", "-f", manifest(tmp_path, group("silent")), input="")
    assert result.exit_code == 1
    assert "nothing was applied (agree, or give --yes)" in result.stderr
    assert coder.find_group("silent") is None
