"""The examples of deploy/ that a chart's server can make true by itself: for `make e2e-kind` and `make e2e-node`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from tools.server_process import license_for_tests

EXAMPLES: Final = Path(__file__).parents[1] / "deploy" / "examples"
LICENSES: Final = "licenses.yaml"
LEFT_OUT: Final = {"deployment.yaml", "token-secret.yaml", "proxies.yaml", "proxies-with-workload.yaml"}
"""The chart has made the first two; proxies are Ready only when they run, with Coder's own image."""
TEMPLATES: Final = ("gpu-workstation", "docker")
"""Which the examples expect in Coder."""
KINDS: Final = "coderdeployments,codergroups,coderusers,codertemplateacls,coderappearances,coderlicenses"


def examples(*, licenses: bool = True) -> list[dict[str, Any]]:
    """With a licence that this process has signed, or without `licenses`: a new server has one of its own."""
    left_out = LEFT_OUT | (set() if licenses else {LICENSES})
    texts = [path.read_text() for path in sorted(EXAMPLES.glob("*.yaml")) if path.name not in left_out]
    bodies = [body for text in texts for body in yaml.safe_load_all(text) if body]
    for body in bodies:
        if body["kind"] == "Secret" and "license" in body["stringData"]:
            body["stringData"]["license"] = license_for_tests()
    return [body for body in bodies if body.get("spec", {}).get("via") != "SCIM"]
