"""What the node's pods run, as archives: called by `__main__`, outside of the namespaces, where a network is.

The image of this project is built from the Dockerfile as it is, under the name that the chart has by default: then the
commands of the page on installing need nothing more.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import yaml

from tools.image.build import FOLDER, build
from tools.image.builder import Buildah
from tools.node.containerd import PAUSE_IMAGE

CHART: Final = Path(__file__).parents[2] / "charts" / "coder-enterprise" / "Chart.yaml"
PAUSE: Final = """FROM scratch
COPY catatonit /
ENTRYPOINT ["/catatonit", "-P"]
"""


def collect(folder: Path, *, offline_base: bool) -> None:
    """Into `folder`. Raises `StepFailed`, and `stand_in.NotHere` where the base can neither be pulled nor made."""
    folder.mkdir()
    chart: dict[str, Any] = yaml.safe_load(CHART.read_text())
    built = build(str(chart["appVersion"]), offline_base=offline_base)
    print(f"{built.image} is built; its base is {built.base}", flush=True)
    built.archive.path.rename(folder / "image.tar")
    _pause(folder)


def _pause(folder: Path) -> None:
    """The image that holds a pod's namespaces, from the distribution's catatonit, which needs no libraries."""
    program = shutil.which("catatonit")
    assert program is not None, "one of the prerequisites"
    context = folder.with_name("pause")
    context.mkdir()
    shutil.copy(program, context)
    (context / "Dockerfile").write_text(PAUSE)
    buildah = Buildah(FOLDER)
    buildah.build(context, PAUSE_IMAGE, {}, epoch=0)
    buildah.export(PAUSE_IMAGE, folder / "pause.tar")
