"""The Dockerfile as instructions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "Dockerfile"


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


def copied(stage: list[Instruction]) -> Iterator[str]:
    """The sources of everything that comes from the folder of the Dockerfile."""
    for text in texts(stage, "COPY"):
        *sources, _ = text.split()
        if not sources[0].startswith("--from"):
            yield from sources
