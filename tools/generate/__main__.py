"""`python -m tools.generate [--check]`: called by `make generate` and `make check`.

Each generator is a function that returns file names and their contents.
"""

from __future__ import annotations

import argparse
import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from coder_enterprise.kinds.crd import to_yaml
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.kinds.resource import GROUP
from coder_enterprise.server.routes.app import ROUTERS, routes_of
from coder_enterprise.server.routes.openapi import document
from tools.generate.chart import CHART, kept, readme
from tools.generate.compatibility import compatibility
from tools.generate.rbac import rbac

ROOT = Path(__file__).parents[2]
MESSAGES = ROOT / "operator" / "coder_enterprise" / "wire" / "provisioning" / "messages.proto"


CRDS = (ROOT / "crds", CHART / "crds")
"""Where they are: for kubectl, and for Helm."""


def crds() -> dict[Path, str]:
    """The CustomResourceDefinitions, one file per kind."""
    files = {f"{GROUP}_{kind.names.plural}.yaml": kind.crd for kind in KINDS}
    plain, charted = CRDS
    return {
        **{plain / name: to_yaml(crd) for name, crd in files.items()},
        **{charted / name: to_yaml(kept(crd)) for name, crd in files.items()},
    }


def openapi() -> dict[Path, str]:
    """What the server says of its API."""
    text = json.dumps(document(routes_of(*ROUTERS)), indent=2, ensure_ascii=False)
    return {ROOT / "docs" / "reference" / "openapi.json": f"{text}\n"}


def routes() -> dict[Path, str]:
    """Which of Coder's routes the server has."""
    return {ROOT / "docs" / "reference" / "compatibility.md": compatibility()}


def protobuf() -> dict[Path, str]:
    """The classes of the messages between provisioner daemons and the server, and their types."""
    source = ROOT / "operator"
    with tempfile.TemporaryDirectory() as output:
        options = [f"--proto_path={source}", f"--python_out={output}", f"--pyi_out={output}"]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, str(MESSAGES)], check=True)
        generated = sorted(path for path in Path(output).rglob("*") if path.is_file())
        return {source / path.relative_to(output): path.read_text() for path in generated}


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Generated files of kinds that do not exist any more."""
    return sorted(path for folder in CRDS for path in folder.glob("*.yaml") if path not in wanted)


def check(wanted: dict[Path, str]) -> int:
    """1 when a committed file is not what would be generated, and the difference on standard output."""
    fresh = True
    for path, text in wanted.items():
        committed = path.read_text() if path.exists() else ""
        name = str(path.relative_to(ROOT))
        difference = list(
            difflib.unified_diff(committed.splitlines(), text.splitlines(), name, "generated", lineterm="")
        )
        fresh = fresh and not difference
        print("\n".join(difference), end="\n" if difference else "")
    for path in stale(wanted):
        fresh = False
        print(f"{path.relative_to(ROOT)}: its kind does not exist any more")
    if not fresh:
        print("Run `make generate` and commit the result.", file=sys.stderr)
    return 0 if fresh else 1


def write(wanted: dict[Path, str]) -> int:
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in stale(wanted):
        path.unlink()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    wanted = crds() | rbac() | readme() | openapi() | routes() | protobuf()
    return check(wanted) if parser.parse_args().check else write(wanted)


if __name__ == "__main__":
    sys.exit(main())
