"""What the Dockerfile says; what comes out of it, `make image` looks at."""

from __future__ import annotations

import json
import re
import tomllib

from tests.image.dockerfile import DOCKERFILE, ROOT, copied, stages, texts

STEPS = ROOT / "tools" / "image" / "steps"


def runs() -> list[str]:
    return [text for stage in stages() for text in texts(stage, "RUN")]


def test_it_runs_as_a_user_who_is_a_number() -> None:
    assert texts(stages()[-1], "USER") == ["65532:65532"]


def test_it_starts_the_command_without_a_shell() -> None:
    assert [json.loads(text) for text in texts(stages()[-1], "ENTRYPOINT")] == [["coder-enterprise"]]
    assert [word for word in ("CMD", "RUN", "HEALTHCHECK") if texts(stages()[-1], word)] == []


def test_its_base_is_one_argument_that_may_be_a_digest() -> None:
    before, *others = stages()
    (base,) = texts(before, "ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=\S+/python:3\.\d+-slim-\w+", base)
    bases = [text.partition(" ")[0] for stage in others for text in texts(stage, "FROM")]
    assert bases == ["${PYTHON_IMAGE}", "build", "build", "dependencies", "scratch"]


def test_its_layers_are_python_the_dependencies_and_our_code() -> None:
    names = [text.partition(" AS ")[2] for stage in stages() for text in texts(stage, "FROM")]
    sources = [text.partition("--from=")[2].split()[0] for text in texts(stages()[-1], "COPY")]
    assert sources == ["python", "dependencies", "code"]
    before_the_code = stages()[: names.index("code") + 1]
    assert [name for stage in before_the_code for name in copied(stage) if name.startswith("operator")] == []


def test_nothing_is_installed_that_is_not_pinned_by_a_hash() -> None:
    installs = [text for text in runs() if "pip " in text and " install " in text]
    assert len(installs) == 3
    assert [text for text in installs if "--require-hashes" not in text and "--no-index" not in text] == []


def test_all_byte_code_holds_no_dates() -> None:
    compiled = [text for text in runs() if "compileall" in text]
    assert len(compiled) == 3
    assert all("--invalidation-mode unchecked-hash" in text for text in compiled)


def test_what_a_layer_holds_has_one_date_for_ever() -> None:
    sources = [text.partition("--from=")[2].split() for text in texts(stages()[-1], "COPY")]
    dated = re.findall(r"find (\S+) -exec touch -h -d @0", "\n".join(runs()))
    assert sorted(dated) == sorted(folder for _, folder, _ in sources)
    assert {target for _, _, target in sources} == {"/"}  # no folder is made on the way, with a date of its own


def test_it_is_of_no_builder_and_no_architecture_alone() -> None:
    texts = [file.read_text() for file in (DOCKERFILE, *STEPS.glob("*.py"))]
    assert [word for text in texts for word in re.findall("RUN --|<<|x86_64|amd64|aarch64|arm64", text)] == []


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
    assert sent == {source for stage in stages() for source in copied(stage)}
    assert [name for name in sent if not (ROOT / name).exists()] == []
