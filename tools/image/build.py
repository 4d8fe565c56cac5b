"""One image of the Dockerfile, as it stands: called by `make image` and `make e2e-node`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.image import archive, base, programs
from tools.image.archive import Archive
from tools.image.builder import Buildah

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".cache" / "image"
NAME: Final = "ghcr.io/coder-enterprise-operator/coder-enterprise"
"""Where the chart looks for it, without a tag."""
EPOCH: Final = 0
"""The date of the image and all of its files, in seconds: a commit makes no layer new in which nothing has changed."""


@dataclass(frozen=True)
class Built:
    image: str
    """Its name and tag, which the archive holds too."""
    archive: Archive
    base: str
    """For people: what it stands on."""


def build(
    tag: str, *, offline_base: bool = False, install: bool = False, cache: bool = True, folder: Path = FOLDER
) -> Built:
    """Built from the Dockerfile and exported to `folder`; with `install`, missing programs are installed first.

    Raises `ProgramsMissing`, `NotHere` and `StepFailed`.
    """
    programs.need(("buildah", *(("debootstrap",) if offline_base else ())), install=install)
    buildah = Buildah(folder)
    stands_on = base.obtain(buildah, base.named(ROOT / "Dockerfile"), offline=offline_base)
    image = f"{NAME}:{tag}"
    buildah.build(ROOT, image, {base.ARGUMENT: stands_on.image}, epoch=EPOCH, cache=cache)
    file = folder / f"{tag}.tar"
    buildah.export(image, file)
    return Built(image, archive.read(file), stands_on.origin)
