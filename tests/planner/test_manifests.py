"""YAML is read as Kubernetes reads it, whoever printed it; what cannot be read is named by file and line."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.planner import files
from coder_enterprise.planner.manifests import Manifests, read, secret_values

GROUP = "apiVersion: enterprise.coder.com/v1alpha1\nkind: CoderGroup\nmetadata: {name: %s}\nspec: {}\n"


def of(tmp_path: Path, text: str, name: str = "a.yaml") -> Manifests:
    path = tmp_path / name
    path.write_text(text)
    return read([str(path)])


def spec_of(tmp_path: Path, spec: str) -> Any:
    found = of(tmp_path, (GROUP % "x").replace("{}", spec))
    assert not found.faults
    return found.objects[Key("CoderGroup", "default", "x")].body["spec"]


def test_objects_of_several_documents_and_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yml").write_text(GROUP % "three")
    (tmp_path / "a.yaml").write_text("---\n" + GROUP % "one" + "---\n" + GROUP % "two" + "---\n")
    (tmp_path / "notes.txt").write_text(GROUP % "text")
    assert [key.name for key in read([str(tmp_path)]).objects] == ["one", "two", "three"]


def test_lists_are_their_items(tmp_path: Path) -> None:
    items = [yaml.safe_load(GROUP % name) for name in ("one", "two")]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    assert len(of(tmp_path, text, "a.json").objects) == 2


def json_group(name: str, **spec: Any) -> str:
    return json.dumps({**yaml.safe_load(GROUP % name), "spec": spec}, indent="\t")


def test_json_is_read_as_json(tmp_path: Path) -> None:
    found = of(tmp_path, f"{json_group('one', displayName='😀 ok')}\n\n{json_group('two')}")
    assert [key.name for key in found.objects] == ["one", "two"]
    one, two = found.objects.values()
    assert one.body["spec"] == {"displayName": "😀 ok"}
    assert (one.origin.line, two.origin.line) == (1, 12)


def test_what_begins_as_json_and_is_yaml_is_read_as_yaml(tmp_path: Path) -> None:
    text = "{apiVersion: enterprise.coder.com/v1alpha1, kind: CoderGroup, metadata: {name: flow}, spec: {}}"
    assert [key.name for key in of(tmp_path, text).objects] == ["flow"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (json_group("x", displayName="half \ud83d"), "a.json:1: a text has half of a pair of surrogates"),
        ('{"a": 1,\n"a": 2}', "a.json:2: the key 'a' is there twice"),
        ('{"a": NaN}', "a.json:1: is no JSON: NaN is no number"),
        ('{"a": ' + "9" * 5000 + "}", "a.json:1: is no JSON: Exceeds the limit"),
        ('{"a":' * 300 + "1" + "}" * 300, "a.json:1: is nested too deeply"),
        ('{"a":' * 200_000, "a.json:1: is nested too deeply"),
    ],
    ids=["surrogate", "twice", "NaN", "digits", "deep", "deeper"],
)
def test_json_that_is_no_manifest_is_a_fault(tmp_path: Path, text: str, fault: str) -> None:
    [found] = of(tmp_path, text, "a.json").faults
    assert str(found).startswith(str(tmp_path / fault)), str(found)


def test_an_object_without_a_namespace_is_in_the_one_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GROUP % "one")
    assert list(read([str(tmp_path)], "coder").objects) == [Key("CoderGroup", "coder", "one")]


def test_other_kinds_are_counted_and_left_alone(tmp_path: Path) -> None:
    found = of(tmp_path, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n")
    assert found.ignored == {"Deployment": 1}
    assert not found.faults


def test_what_helm_prints_around_manifests_is_no_fault(tmp_path: Path) -> None:
    head, notes = "NAME: x\nSTATUS: pending-install\nHOOKS:\nMANIFEST:\n---\n", "\n\nNOTES:\nThank you: for {this}: x\n"
    found = of(tmp_path, head + GROUP % "one" + notes)
    assert len(found.objects) == 1
    assert not found.faults


def test_secrets_and_labels_of_namespaces_are_kept(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: t, namespace: ns}\n"
        "data: {a: Yg==, c: '?'}\nstringData: {d: e}\n"
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns, labels: {team: a}}\n",
    )
    assert secret_values(found.secrets["ns", "t"]) == {"a": "b", "d": "e"}
    assert found.namespaces == {"ns": {"team": "a"}}


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2027-01-01", "2027-01-01"),
        ("12:30:45", "12:30:45"),
        ("1e3", 1000.0),
        ("0x10", 16),
        ("010", 8),
        ("yes", True),
        ("y", True),
        ("N", False),
        ("0o17", 15),
        ("0X1f", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("089", 89.0),
        ("yy", "yy"),
        ("~", None),
        ("1.5", 1.5),
        ("'5'", "5"),
    ],
)
def test_scalars_are_what_kubernetes_takes_them_for(tmp_path: Path, written: str, read_as: Any) -> None:
    assert spec_of(tmp_path, f"{{a: {written}}}") == {"a": read_as}


def test_anchors_and_merges_are_understood(tmp_path: Path) -> None:
    assert spec_of(tmp_path, "{a: &x {b: 1}, c: *x, d: {<<: *x, e: 2}}") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": {"b": 1, "e": 2},
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [", "a.yaml:2: is no YAML: "),
        ("a: {{ .Values.x }}: b", "pipe `helm template`"),
        (GROUP % "one" + "spec: {}\n", "a.yaml:5: the key 'spec' is there twice"),
        (GROUP % "one" + "---\n" + GROUP % "one", "a.yaml:6: CoderGroup default/one is there twice: also at "),
        ((GROUP % "one").replace("CoderGroup", "CoderGruppe"), "has no kind CoderGruppe; known are "),
        ((GROUP % "one").replace("v1alpha1", "v2"), "enterprise.coder.com/v2 is not known here"),
        ("apiVersion: enterprise.coder.com/v1alpha1\nkind: CoderGroup\n", "metadata.name is required"),
        ("\0", "is no YAML"),
        ("a: !!python/object/apply:os.system [id]", "is no YAML"),
    ],
)
def test_a_fault_is_named_by_file_and_line(tmp_path: Path, text: str, fault: str) -> None:
    [found] = of(tmp_path, text).faults
    assert fault in str(found)
    assert "a.yaml:" in str(found)


def test_one_broken_file_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text(GROUP % "one")
    found = read([str(tmp_path)])
    assert (len(found.objects), len(found.faults)) == (1, 1)


@pytest.mark.parametrize("text", ["", "\n", "---\n---\n", "# nothing\n"])
def test_an_empty_file_is_no_fault(tmp_path: Path, text: str) -> None:
    assert of(tmp_path, text) == Manifests()


def test_aliases_that_multiply_are_refused_before_they_do(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    [fault] = of(tmp_path, "\n".join(lines)).faults
    assert "its aliases make it too large" in str(fault)


def test_an_alias_within_itself_is_no_endless_way(tmp_path: Path) -> None:
    of(tmp_path, "a: &a [*a]")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE", 1 << 20)
    [fault] = of(tmp_path, "#" * ((1 << 20) + 1)).faults
    assert "has more than 1 MiB; split it" in str(fault)


def test_links_that_lead_back_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GROUP % "one")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    found = read([str(tmp_path)])
    assert len(found.objects) == 1
    assert [fault.origin.file for fault in found.faults] == [str(tmp_path / "loop.yaml")]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    [fault] = read([str(tmp_path / "none.yaml")]).faults
    assert "No such file" in str(fault)


def test_a_folder_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Any:  # root, as tests may run, may read everything
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    [fault] = read([str(tmp_path)]).faults
    assert str(fault) == f"{tmp_path}:1: Permission denied"


def test_a_folder_whose_files_may_be_listed_and_not_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(GROUP % "one")

    def refuse(path: Path) -> bool:
        if path == tmp_path:
            return True
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    [fault] = read([str(tmp_path)]).faults
    assert str(fault) == f"{tmp_path}:1: Permission denied"


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    [fault] = read([str(tmp_path)]).faults
    assert str(fault) == f"{tmp_path}/pipe.yaml:1: is neither a file nor a folder"


def test_a_number_that_is_too_long_is_told_with_its_line(tmp_path: Path) -> None:
    [fault] = of(tmp_path, f"a: b\nc: {'9' * 5000}\n").faults
    assert (fault.origin.line, fault.message) == (2, "is no YAML: a number has too many digits")


@pytest.mark.parametrize("value", ["!!binary aGk=", "!!set {a, b}", "!!timestamp 2020-01-01", "&a {b: *a}"], ids=str)
def test_what_json_has_not_is_a_fault(tmp_path: Path, value: str) -> None:
    assert len(of(tmp_path, (GROUP % "x").replace("spec: {}", f"spec: {{displayName: {value}}}")).faults) == 1


@pytest.mark.parametrize(
    "metadata", ["x, annotations: [a]", "x, labels: {a: 1}", "5", "A_b", "x, namespace: a/b", "a..b"]
)
def test_metadata_that_kubernetes_refuses_is_a_fault(tmp_path: Path, metadata: str) -> None:
    [fault] = of(tmp_path, GROUP % metadata).faults
    assert fault.message.startswith("CoderGroup: metadata.")


@pytest.mark.parametrize(
    "body",
    [
        "kind: Namespace\nmetadata: [a]",
        "kind: Namespace\nmetadata: {labels: [a]}",
        "kind: Secret\nmetadata: [a]\ndata: [a]\nstringData: a",
    ],
)
def test_others_with_another_shape_are_read_as_empty(tmp_path: Path, body: str) -> None:
    found = of(tmp_path, f"apiVersion: v1\n{body}\n")
    assert [*found.namespaces.values(), *map(secret_values, found.secrets.values())] == [{}]


@pytest.mark.parametrize("name", ["1e3", "y", "0", "false", "12", "~"])
def test_a_name_that_is_no_text_is_to_be_quoted(tmp_path: Path, name: str) -> None:
    [fault] = of(tmp_path, GROUP % name).faults
    assert fault.message.endswith("metadata.name is required" if name == "~" else "is no text: put it in quotes")


def test_what_is_nested_deeply_is_a_fault(tmp_path: Path) -> None:
    [fault] = of(tmp_path, "[" * 200_000).faults
    assert fault.message == "is nested too deeply"


def test_a_pipe_is_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, (GROUP % "piped").encode())
    os.close(writer)
    assert [key.name for key in read([f"/dev/fd/{reader}"]).objects] == ["piped"]
    os.close(reader)


def test_a_file_without_an_end_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE", 1 << 20)
    [fault] = read(["/dev/zero"]).faults
    assert fault.message == "has more than 1 MiB; split it"


def test_standard_input_that_is_no_text_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    assert [str(fault) for fault in read(["-"]).faults] == ["standard input:1: is no UTF-8 text"]
