"""What Argo CD is told of our kinds, as a patch of its ConfigMap: called by `python -m tools.generate`.

Made of the Lua beside it. Argo CD has actions for a kind by its name alone, so each kind gets all of it, under keys of
its own: such a patch leaves alone what the ConfigMap says of other kinds.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Final

from coder_enterprise.kinds.machinery.resource import GROUP
from coder_enterprise.kinds.registry import KINDS

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "gitops" / "argocd"
LUA: Final = FOLDER / "lua"
PATCH: Final = FOLDER / "customizations-patch.yaml"
ACTIONS: Final = ("reconcile", "suspend", "suspend-for", "resume", "force-detach")
_HEAD: Final = f"""\
# Written by `make generate` from lua/. How Argo CD reads the health of our kinds, and what can be done to them there:
#   kubectl patch configmap argocd-cm --namespace argocd --patch-file {PATCH.name}
data:
"""
_STEP: Final = "  "


def customizations() -> dict[Path, str]:
    """The patch."""
    return {PATCH: _HEAD + "".join(_kind(kind.names.kind) for kind in KINDS)}


def _kind(kind: str) -> str:
    return _block(f"resource.customizations.health.{GROUP}_{kind}", _text("health"), 1) + _block(
        f"resource.customizations.actions.{GROUP}_{kind}", _actions(), 1
    )


def _actions() -> str:
    definitions = (f"- name: {name}\n" + _block("action.lua", _text(f"actions/{name}"), 1) for name in ACTIONS)
    return _block("discovery.lua", _text("discovery"), 0) + "definitions:\n" + "".join(definitions)


def _text(name: str) -> str:
    return (LUA / f"{name}.lua").read_text()


def _block(key: str, text: str, depth: int) -> str:
    return f"{_STEP * depth}{key}: |\n" + indent(text, _STEP * (depth + 1))
