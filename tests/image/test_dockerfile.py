"""The image: small, for nobody in particular, without a shell, and made of what is pinned."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.dockerfile import ROOT, build, copied, environment, prefix, stages, texts
from tools.processes import Process
from tools.server_process import LISTENING


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has under /opt/coder-enterprise; several test processes build it once."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        return build(tmp_path_factory.mktemp("image"))
    folder = tmp_path_factory.getbasetemp().parent / f"image-{run}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            build(folder)
        return prefix(folder)


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[Path]:
    """A folder that cannot be written to."""
    folder = tmp_path / "nowhere"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


def files(folder: Path) -> set[tuple[Path, int]]:
    return {(path, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


# What it says


def test_it_runs_as_a_user_who_is_a_number() -> None:
    assert texts(stages()[-1], "USER") == ["65532:65532"]


def test_it_starts_the_command_without_a_shell() -> None:
    assert [json.loads(text) for text in texts(stages()[-1], "ENTRYPOINT")] == [["coder-enterprise"]]
    assert [word for word in ("CMD", "RUN", "HEALTHCHECK") if texts(stages()[-1], word)] == []


def test_its_base_is_one_argument_that_may_be_a_digest() -> None:
    before, *others = stages()
    (base,) = texts(before, "ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=\S+/python:3\.\d+-slim-\w+", base)
    assert [texts(stage, "FROM") for stage in others] == [["${PYTHON_IMAGE} AS build"], ["${PYTHON_IMAGE}"]]


def test_nothing_is_installed_that_is_not_pinned_by_a_hash() -> None:
    installs = [text for text in texts(stages()[1], "RUN") if " install " in text]
    assert len(installs) == 3
    assert [text for text in installs if "--require-hashes" not in text and "--no-index" not in text] == []


def test_its_version_is_that_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"VERSION={version}" in texts(stages()[-1], "ARG")
    (labels,) = texts(stages()[-1], "LABEL")
    for name in ("title", "description", "source", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_all_that_it_copies_is_sent_to_the_builder_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert sent == {source for source, _ in copied(stages()[1])}
    assert [name for name in sent if not (ROOT / name).exists()] == []


# What it does


@pytest.mark.parametrize("words", [[], ["server"], ["operator"]])
def test_each_half_explains_itself_and_writes_nothing(image: Path, nowhere: Path, words: list[str]) -> None:
    before = files(image)
    command = [str(image / "bin" / "coder-enterprise"), *words, "--help"]
    done = subprocess.run(command, cwd=nowhere, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: coder-enterprise" in done.stdout
    assert files(image) == before
    assert list(nowhere.iterdir()) == []


def test_the_server_runs_with_nothing_but_its_database_to_write(image: Path, nowhere: Path, tmp_path: Path) -> None:
    before = files(image)
    settings = {"CODER_HTTP_ADDRESS": "127.0.0.1:0", "CODER_SQLITE_PATH": str(tmp_path / "coder.db")}
    log = tmp_path / "server.log"
    command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(nowhere), str(image / "bin" / "coder-enterprise"), "server"]
    process = Process("the server of the image", command, log, environment() | settings)
    try:
        process.wait_until(lambda: LISTENING in log.read_text(), 30)
        url = log.read_text().partition(LISTENING)[2].split()[0]
        with urllib.request.urlopen(f"{url}/api/v2/buildinfo", timeout=5) as answer:
            assert answer.status == 200
    finally:
        process.stop()
    assert files(image) == before
    assert list(nowhere.iterdir()) == []


def test_it_has_what_is_pinned_and_nothing_else(image: Path) -> None:
    (packages,) = image.glob("lib/python*/site-packages")
    there = {path.name.partition("-")[0].lower().replace("_", "-") for path in packages.glob("*.dist-info")}
    lines = (ROOT / "requirements" / "server.txt").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines if re.match(r"^[a-z0-9]", line)}
    assert "pip" not in there
    assert {"coder-enterprise", "kopf", "fastapi"} <= there
    assert {name.replace(".", "-") for name in there} <= pinned | {"coder-enterprise"}


def test_its_byte_code_holds_no_dates(image: Path) -> None:
    codes = list(image.rglob("*.pyc"))
    assert codes
    unchecked_hash = (1).to_bytes(4, "little")
    assert [path for path in codes if path.read_bytes()[4:8] != unchecked_hash] == []
