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
import warnings
from pathlib import Path

from alembic.script import ScriptDirectory

from coder_enterprise.kinds.machinery.crd import to_yaml
from coder_enterprise.kinds.machinery.resource import GROUP
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.server.routes.app import ROUTERS, routes_of
from coder_enterprise.server.routes.openapi import document
from coder_enterprise.server.storage.migrate import SCRIPTS
from tools.generate.argocd import customizations
from tools.generate.chart import CHART, kept, readme
from tools.generate.compatibility import compatibility
from tools.generate.decisions import decisions
from tools.generate.faults import faults
from tools.generate.kind_pages import kind_pages, schemas
from tools.generate.rbac import rbac
from tools.generate.reasons import reasons
from tools.generate.scale import curves, scale

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


def explanations() -> dict[Path, str]:
    """What each reason of a condition means."""
    return {ROOT / "docs" / "reference" / "reasons.md": reasons()}


def kind_references() -> dict[Path, str]:
    """What each kind declares: for people, and for editors."""
    docs = ROOT / "docs"
    pages = {docs / "reference" / "kinds" / name: text for name, text in kind_pages().items()}
    return pages | {docs / "schemas" / name: text for name, text in schemas().items()}


def migrations() -> dict[Path, str]:
    """Which migration of the server's database is the last: two that are made side by side both change this line, so
    that Git tells it and not a database that cannot be opened."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # for revisions that come twice
        last = ScriptDirectory(str(SCRIPTS)).get_current_head()
    return {SCRIPTS / "latest.txt": f"{last}\n"}


def policies() -> dict[Path, str]:
    """What the operator decides by a chain of policies."""
    return {ROOT / "docs" / "reference" / "decisions.md": decisions()}


def injected() -> dict[Path, str]:
    """Which faults the tests inject."""
    return {ROOT / "docs" / "reference" / "faults.md": faults()}


def measured() -> dict[Path, str]:
    """How it scales, as it was measured last, and the curve of a soak."""
    folder = ROOT / "docs" / "reference"
    return {folder / "scale.md": scale(), folder / "soak.svg": curves()}


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
    told = explanations() | policies() | injected() | kind_references() | measured()
    told |= customizations()
    wanted = crds() | rbac() | readme() | openapi() | routes() | told | migrations() | protobuf()
    return check(wanted) if parser.parse_args().check else write(wanted)


if __name__ == "__main__":
    sys.exit(main())
