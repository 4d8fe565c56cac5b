"""The Dockerfile as instructions, and its build stage without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "Dockerfile"
PREFIX: Final = "/opt/coder-enterprise"
"""What the build stage installs into, and the image has."""


class Instruction(NamedTuple):
    word: str
    text: str


def stages() -> list[list[Instruction]]:
    """The instructions of each stage; first those before the first FROM."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    found: list[list[Instruction]] = [[]]
    for line in filter(None, joined.splitlines()):
        word, _, text = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append(Instruction(word, text))
    return found


def texts(stage: list[Instruction], word: str) -> list[str]:
    return [item.text for item in stage if item.word == word]


def environment() -> dict[str, str]:
    """What the image sets, but for PATH."""
    pairs = (pair.partition("=") for text in texts(stages()[-1], "ENV") for pair in text.split())
    return {name: value for name, _, value in pairs if name != "PATH"}


def copied(stage: list[Instruction]) -> Iterator[tuple[str, str]]:
    """Source and target of everything that comes from the folder of the Dockerfile."""
    for text in texts(stage, "COPY"):
        *sources, target = text.split()
        if not sources[0].startswith("--from"):
            yield from ((source, target) for source in sources)


def prefix(folder: Path) -> Path:
    """What stands for /opt/coder-enterprise, once `build` has run in that folder."""
    return folder / "prefix"


def build(folder: Path) -> Path:
    """Run the build stage's steps in `folder`, with this Python in place of the image's; what the image would have."""
    source = folder / "src"
    subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
    for name, target in copied(stages()[1]):
        place = source / target / (Path(name).name if target.endswith("/") else "")
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place)
    path = f"{folder / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    variables = os.environ | {"PATH": path, "PIP_CACHE_DIR": str(ROOT / ".cache" / "pip")}
    for step in texts(stages()[1], "RUN"):
        command = step.replace(PREFIX, str(prefix(folder)))
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=source,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return prefix(folder)
