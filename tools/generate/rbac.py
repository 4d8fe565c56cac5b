"""What the operator may do in Kubernetes, and nothing more: called by `python -m tools.generate`.

One source for the chart and for kustomize: the rules by their name for the chart's templates, and two manifests, for an
operator that watches all namespaces and for one that watches some. A new kind gets its rules by being registered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from coder_enterprise.controller.claims import SECRET as CLAIMS
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.kinds.resource import GROUP

ROOT: Final = Path(__file__).parents[2]
OVERLAYS: Final = ROOT / "deploy" / "overlays"
CHART: Final = ROOT / "charts" / "coder-enterprise" / "files" / "rules.yaml"
NAME: Final = "coder-enterprise-operator"
NAMESPACE: Final = "coder-enterprise"

CLUSTER: Final = """\
# What an operator may do that watches every namespace. Written by `make generate`.
#
# Secrets: RBAC cannot grant only those with a label. The operator lists and watches those that are labelled
# enterprise.coder.com/watch, reads those that its objects name, and writes only those that it has made; but it could
# read every Secret. Where that is too much, name the namespaces that it watches: see the overlay namespaced.
"""
NAMESPACED: Final = """\
# What an operator may do that watches only the namespaces that it is started with (--namespace), and nothing in the
# cluster as a whole. Written by `make generate`.
#
# This is for its own namespace. For each further namespace that it watches, apply the Role coder-enterprise-operator
# and its RoleBinding there as well, with the namespace changed in their metadata. The Leases, and the Secret with the
# key of its claims, are in its own alone.
#
# Secrets: RBAC cannot grant only those with a label, so it can read every Secret of these namespaces.
#
# Namespaces: a Role lets it get its own namespace, which is all that namespaceSelector in spec.allow of a
# CoderDeployment needs there; a namespace without the Role is selected by none.
"""
RULES: Final = """\
# The rules of the chart's roles. Written by `make generate` from operator/coder_enterprise/kinds.
#
# operator: where it watches; leases: in its own namespace, with the key of its claims.
# endOperator: before an uninstall.
"""


def rbac() -> dict[Path, str]:
    """The two manifests, and the chart's rules."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}}
    leases = _granted("Role", f"{NAME}-leases", _lease_rules())
    everywhere = [account, *_granted("ClusterRole", NAME, _rules()), *leases]
    somewhere = [account, *_granted("Role", NAME, _rules()), *leases]
    return {
        OVERLAYS / "cluster-wide" / "rbac.yaml": CLUSTER + yaml.safe_dump_all(everywhere, sort_keys=False),
        OVERLAYS / "namespaced" / "rbac.yaml": NAMESPACED + yaml.safe_dump_all(somewhere, sort_keys=False),
        CHART: RULES + yaml.safe_dump(chart_rules(), sort_keys=False),
    }


def chart_rules() -> dict[str, list[dict[str, Any]]]:
    """By the names that the chart's templates use."""
    return {
        "operator": _rules(),
        "leases": _lease_rules(),
        "endOperator": [_rule("apps", ["deployments"], "get", "delete")],
    }


def _plurals() -> list[str]:
    return sorted(kind.names.plural for kind in KINDS)


def _rules() -> list[dict[str, Any]]:
    return [
        _rule(GROUP, _plurals(), "get", "list", "watch", "patch"),
        _rule(GROUP, [f"{plural}/status" for plural in _plurals()], "patch"),
        _rule("", ["secrets"], "get", "list", "watch", "create", "patch"),
        _rule("", ["namespaces"], "get"),
        _rule("apps", ["deployments"], "get", "create", "patch", "delete"),
        _rule("events.k8s.io", ["events"], "create", "patch"),
    ]


def _lease_rules() -> list[dict[str, Any]]:
    return [
        _rule("coordination.k8s.io", ["leases"], "list", "create", "update", "delete"),
        _rule("", ["secrets"], "create"),  # RBAC knows no name of what is not there yet
        _rule("", ["secrets"], "get") | {"resourceNames": [CLAIMS]},
    ]


def _rule(group: str, resources: list[str], *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def _granted(kind: str, name: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A role and its binding to the operator's service account."""
    metadata = {"name": name} if kind == "ClusterRole" else {"name": name, "namespace": NAMESPACE}
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": dict(metadata), "rules": rules}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": group, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }
    return [role, binding]
