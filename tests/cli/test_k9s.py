"""deploy/k9s/plugins.yaml: k9s accepts the file, and what it would run does what its name says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import yaml

from coder_enterprise.kinds.machinery.resource import FORCE_DETACH, RECONCILE_REQUESTED_AT
from coder_enterprise.kinds.registry import KINDS
from tests.support.command import condition, put
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, members, secret
from tools.coder_api import CoderAPI
from tools.kubernetes.archives import locate_k9s_schema
from tools.kubernetes.binaries import locate
from tools.server_process import CoderServer

FILE: Final = Path(__file__).parents[2] / "deploy" / "k9s" / "plugins.yaml"
VARIABLE: Final = re.compile(r"\$([A-Z_]+)")


def plugins() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text())["plugins"])


def press(namespace: Namespace, name: str, target: str, **inputs: str) -> str:
    """Run what k9s would for that row; what it printed."""
    plugin = plugins()[name]
    resource, _, object_name = target.partition("/")
    known = {"RESOURCE_NAME": resource, "NAME": object_name, "NAMESPACE": namespace.name, "CONTEXT": "local", **inputs}
    arguments = [VARIABLE.sub(lambda match: known.get(match[1], match[0]), argument) for argument in plugin["args"]]
    programs = [Path(sys.executable).parent, locate(["kubectl"])["kubectl"].parent]
    environment = os.environ | {
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "KUBECONFIG": str(namespace.plane.kubeconfig),
        "PAGER": "cat",
    }
    done = subprocess.run(
        [plugin["command"], *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def notes(namespace: Namespace, name: str) -> dict[str, str]:
    return dict(namespace.get("CoderGroup", name)["metadata"].get("annotations") or {})


def test_k9s_accepts_the_file() -> None:
    jsonschema_rs.validate(json.loads(locate_k9s_schema().read_text()), yaml.safe_load(FILE.read_text()))


def test_each_has_a_key_of_its_own_and_is_for_our_kinds() -> None:
    keys = [plugin["shortCut"] for plugin in plugins().values()]
    assert len(keys) == len(set(keys))
    assert {scope for plugin in plugins().values() for scope in plugin["scopes"]} == {
        kind.names.plural for kind in KINDS
    }


def test_each_that_changes_something_is_left_out_where_k9s_is_read_only() -> None:
    looking = {name for name, plugin in plugins().items() if not plugin.get("dangerous")}
    assert looking == {"coder-status", "coder-diff"}


def test_it_says_why(namespace: Namespace) -> None:
    put(namespace, group("platform"), condition("Ready", "False", "WaitingForDeployment", "there is none"))
    assert "WaitingForDeployment" in press(namespace, "coder-status", "codergroups/platform")


def test_it_shows_the_differences(namespace: Namespace, server: CoderServer, coder: CoderAPI) -> None:
    coder.create_group("platform")
    namespace.apply(secret(token=server.token), deployment(server.url))
    namespace.apply(group("platform", displayName="Platform", adoptionPolicy="Adopt", members=members()))
    assert "displayName" in press(namespace, "coder-diff", "codergroups/platform")


def test_it_asks_for_a_reconcile(namespace: Namespace) -> None:
    namespace.apply(group("platform"))
    assert press(namespace, "coder-reconcile", "codergroups/platform") == "1 object asked for\n"
    assert RECONCILE_REQUESTED_AT in notes(namespace, "platform")


def test_it_suspends_and_resumes(namespace: Namespace) -> None:
    namespace.apply(group("platform"))
    press(namespace, "coder-suspend", "codergroups/platform")
    assert namespace.get("CoderGroup", "platform")["spec"]["suspend"] is True
    press(namespace, "coder-suspend-until", "codergroups/platform", INPUT_UNTIL="2h")
    assert namespace.get("CoderGroup", "platform")["spec"]["suspendUntil"].endswith("Z")
    press(namespace, "coder-resume", "codergroups/platform")
    spec = namespace.get("CoderGroup", "platform")["spec"]
    assert (spec["suspend"], spec.get("suspendUntil")) == (False, None)


def test_it_lets_go(namespace: Namespace) -> None:
    put(namespace, group("platform"), condition("Ready", "True", "Applied"), id="3a5e2f07-4c62-4732-981c-392850ce6cd6")
    assert "detached" in press(namespace, "coder-force-detach", "codergroups/platform")
    assert notes(namespace, "platform")[FORCE_DETACH] == "true"
