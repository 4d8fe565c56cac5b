"""`make image`, as far as nothing must be built: what is missing, what the base is, and what an archive says."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.commands import StepFailed, output, run
from tools.image import archive, base, builder, contents, programs, stand_in, trial
from tools.image.build import ROOT
from tools.image.builder import Buildah


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def tar(files: Mapping[str, bytes] | list[tarfile.TarInfo], mode: str = "w") -> bytes:
    """Entries are files with content, or such without."""
    entries = [(info, b"") for info in files] if isinstance(files, list) else list(map(_file, files, files.values()))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as made:  # type: ignore[call-overload]
        for info, content in entries:
            made.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _file(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def write_archive(file: Path, layers: list[tuple[str, Any]]) -> str:
    """An image with these layers, and an empty one as LABEL leaves it; its digest."""
    blobs: dict[str, bytes] = {}

    def blob(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}", "size": len(content)}

    packed = [blob(tar(files, "w:gz")) for _, files in layers]
    history = [{"created_by": maker} for maker, _ in layers]
    config = {"config": {"User": "65532:65532"}, "history": [{"created_by": "LABEL", "empty_layer": True}, *history]}
    manifest = blob(json.dumps({"config": blob(json.dumps(config).encode()), "layers": packed}).encode())
    blobs["index.json"] = json.dumps({"manifests": [manifest]}).encode()
    file.write_bytes(tar(blobs))
    return str(manifest["digest"])


def test_a_missing_program_is_named_with_the_command_that_installs_it(path: Path) -> None:
    program(path, "runc", "")
    with pytest.raises(programs.ProgramsMissing, match=r"^buildah must be installed.*apt-get install .* buildah;"):
        programs.need(("buildah", "runc"))


def test_the_base_is_what_the_dockerfile_names() -> None:
    assert base.named(ROOT / "Dockerfile").startswith("docker.io/library/python:3.")


def test_the_base_is_pulled_where_the_registry_answers(path: Path, tmp_path: Path) -> None:
    program(path, "buildah", f'echo "$1 $2" >>{tmp_path}/calls')
    found = base.obtain(Buildah(tmp_path), "example.com/python:3")
    assert found == ("example.com/python:3", "example.com/python:3, pulled")
    assert (tmp_path / "calls").read_text().splitlines() == ["manifest inspect", "pull --quiet"]


@pytest.mark.parametrize(("offline", "reason"), [(True, "--offline-base"), (False, "no registry answers")])
def test_without_a_registry_a_stand_in_is_made_and_says_so(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: bool, reason: str
) -> None:
    program(path, "buildah", f'echo "$1" >>{tmp_path}/calls; exit 1')
    monkeypatch.setattr(stand_in, "make", lambda buildah: "localhost/python:stand-in")
    found = base.obtain(Buildah(tmp_path), "example.com/python:3", offline=offline)
    assert found.image == "localhost/python:stand-in"
    assert "a stand-in" in found.origin
    assert reason in found.origin
    assert (tmp_path / "calls").exists() is not offline


def test_the_build_sees_the_machines_certificates_and_index_only_while_it_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path, "buildah", f'echo "$@" >>{tmp_path}/calls')
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    monkeypatch.setattr(builder, "pip_settings", lambda: {"cert": str(bundle), "index-url": "https://packages.example"})
    Buildah(tmp_path).build(tmp_path, "example:dev", {"PYTHON_IMAGE": "example"}, epoch=7)
    call = (tmp_path / "calls").read_text()
    assert f"--volume={bundle}:/run/host/ca-certificates.crt:ro" in call
    assert f"--volume={tmp_path}/pip.conf:/etc/pip.conf:ro" in call
    assert "--timestamp=7" in call
    settings = (tmp_path / "pip.conf").read_text().splitlines()
    assert settings == ["[global]", "index-url = https://packages.example", "cert = /run/host/ca-certificates.crt"]


def test_variables_count_more_than_files_in_pips_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://file.example\ntimeout = 3\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example")
    settings = builder.pip_settings()
    assert (settings["index-url"], settings["timeout"]) == ("https://variable.example", "3")


def test_an_archive_tells_its_digest_its_sizes_and_who_made_each_layer(tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    digest = write_archive(file, [("COPY python", {"a": b"1" * 300}), ("COPY code", {"b": b"2" * 20, "c": b"3"})])
    found = archive.read(file)
    assert (found.digest, found.size) == (digest, 321)
    assert [(layer.size, layer.made_by) for layer in found.layers] == [(300, "COPY python"), (21, "COPY code")]
    assert found.config["config"]["User"] == "65532:65532"
    assert f"2 layers, {digest}" in found.report()


def test_an_archive_is_unpacked_layer_by_layer(tmp_path: Path) -> None:
    write_archive(tmp_path / "image.tar", [("one", {"a": b"old", "b": b"stays"}), ("two", {"a": b"new"})])
    archive.read(tmp_path / "image.tar").unpack(tmp_path / "root")
    assert {file.name: file.read_bytes() for file in (tmp_path / "root").iterdir()} == {"a": b"new", "b": b"stays"}


def entry(name: str, mode: int = 0o644, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.mode, made.type = mode, kind
    return made


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (entry("usr/bin/su", 0o4755), "is setuid"),
        (entry("usr/bin/dash", 0o755), "is a shell"),
        (entry("opt/coder-enterprise/bin/pip3.11", 0o755), "installs packages"),
        (entry("usr/local/lib/python3.11/ensurepip", 0o755, tarfile.DIRTYPE), "installs packages"),
        (entry("usr/local/lib/python3.11/site-packages/setuptools", 0o755, tarfile.DIRTYPE), "installs packages"),
        (entry("etc/shadow", 0o600), "cannot be read by everybody"),
        (entry("etc/hosts", 0o666), "can be written by everybody"),
        (entry("opt/.wh.old"), "A layer removes opt/old"),
        (entry("etc/pip.conf"), "is of the build alone"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_what_an_image_must_not_hold_is_named(tmp_path: Path, bad: tarfile.TarInfo, problem: str) -> None:
    python = entry("usr/local/bin/python3.11", 0o755)
    good = [entry("tmp", 0o1777, tarfile.DIRTYPE), python, entry("lib", 0o777, tarfile.SYMTYPE)]
    write_archive(tmp_path / "good.tar", [("COPY", good)])
    write_archive(tmp_path / "bad.tar", [("COPY", [*good, bad])])
    assert contents.problems(archive.read(tmp_path / "good.tar")) == []
    (found,) = contents.problems(archive.read(tmp_path / "bad.tar"))
    assert problem in found


def test_an_image_may_have_so_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "image.tar", [("COPY", {"a": b"1" * 300})])
    monkeypatch.setattr(contents, "SIZE", 299)
    (found,) = contents.problems(archive.read(tmp_path / "image.tar"))
    assert "are allowed" in found


def test_every_command_is_tried() -> None:
    assert {(), ("operator",), ("server",), ("license", "sign")} <= set(trial.commands())


def test_a_command_that_fails_is_named_with_what_it_said() -> None:
    with pytest.raises(StepFailed, match=r"^sh -c exit 3$"):
        run("/bin/sh", "-c", "exit 3")
    with pytest.raises(StepFailed, match=r"no such thing$"):
        output("sh", "-c", "echo no such thing >&2; exit 1")
    with pytest.raises(StepFailed, match="no answer in 0 s"):
        output("sleep", "60", timeout=0.01)
