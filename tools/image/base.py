"""What the image stands on: the one that the Dockerfile names, or a stand-in where no registry can be reached."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from tools.image import stand_in
from tools.image.builder import Buildah

ARGUMENT: Final = "PYTHON_IMAGE"
REGISTRY_TIMEOUT: Final = 8.0
"""Seconds to ask a registry for the base before it counts as out of reach."""


class Base(NamedTuple):
    image: str
    origin: str
    """For people: where it comes from."""


def named(dockerfile: Path) -> str:
    """The base that the Dockerfile names."""
    found = re.search(rf"^ARG {ARGUMENT}=(\S+)$", dockerfile.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{dockerfile} has no line ARG {ARGUMENT}=...")
    return found[1]


def obtain(buildah: Buildah, image: str, *, offline: bool = False) -> Base:
    """Pulled, or made here where `offline` says so or the registry does not answer.

    Raises `StepFailed`, and `stand_in.NotHere` where no stand-in can be made.
    """
    if not offline and buildah.succeeds("manifest", "inspect", image, timeout=REGISTRY_TIMEOUT):
        buildah.run("pull", "--quiet", image)
        return Base(image, f"{image}, pulled")
    reason = "--offline-base" if offline else f"no registry answers for {image}"
    made = stand_in.make(buildah)
    return Base(made, f"{made}, a stand-in made here by debootstrap with this machine's Python ({reason})")
