"""Commands start quickly: what a command does not need, it does not import."""

from __future__ import annotations

import json
import subprocess
import sys

from coder_enterprise.cli.main import app
from tools.kubernetes.control_plane import ControlPlane

SCRIPT = """
import contextlib, json, shlex, sys
from coder_enterprise.cli.main import app
for line in sys.argv[1:]:
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
        app(shlex.split(line))
print(json.dumps(sorted(sys.modules)))
"""
SLOW = {"aiohttp", "asyncio", "fastapi", "kopf", "kubernetes", "rich", "sqlalchemy", "structlog", "uvloop", "yaml"}
"""Not pydantic: typer itself imports it for what is not the first page of help."""


def imported_by(*lines: str) -> set[str]:
    """By these command lines, one after the other."""
    result = subprocess.run([sys.executable, "-c", SCRIPT, *lines], capture_output=True, text=True, check=False)
    assert result.stdout, result.stderr
    modules: list[str] = json.loads(result.stdout.splitlines()[-1])
    return set(modules)


def test_the_first_page_of_help_imports_nothing_slow() -> None:
    assert imported_by("--help") & {*SLOW, "pydantic"} == set()


def test_no_command_imports_anything_slow_for_its_help() -> None:
    names = [command.name for command in app.registered_commands]
    assert imported_by(*(f"{name} --help" for name in names)) & SLOW == set()


def test_a_look_at_a_cluster_imports_neither_kopf_nor_models_of_kubernetes(control_plane: ControlPlane) -> None:
    modules = imported_by(f"status --kubeconfig {control_plane.kubeconfig}")
    assert "coder_enterprise.cluster.client" in modules
    assert "kopf" not in modules
    assert not [name for name in modules if ".client.models." in name or ".client.api." in name]
    assert "coder_enterprise.kinds.registry" not in modules
