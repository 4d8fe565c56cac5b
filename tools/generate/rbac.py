"""What the operator may do in Kubernetes, and nothing more: called by `python -m tools.generate`.

One source for the chart and for kustomize: the rules by their name for the chart's templates, and two manifests, for an
operator that watches all namespaces and for one that watches some. A new kind gets its rules by being registered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from coder_enterprise.cluster.rules import inspector_rules, lease_rules, operator_rules, page_rules, rule, viewer_rules

ROOT: Final = Path(__file__).parents[2]
OVERLAYS: Final = ROOT / "deploy" / "overlays"
CHART: Final = ROOT / "charts" / "coder-enterprise" / "files" / "rules.yaml"
NAME: Final = "coder-enterprise-operator"
NAMESPACE: Final = "coder-enterprise"
GROUP: Final = "rbac.authorization.k8s.io"
READING: Final = ("get", "list", "watch")

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
PAGE: Final = """\
# What the page asks Kubernetes, as the operator: whose a token is, and what somebody may. And two roles for people, who
# have them where somebody binds them: to look, and to see what Coder says of people, too. Written by `make generate`.
"""
RULES: Final = """\
# The rules of the chart's roles. Written by `make generate` from operator/coder_enterprise/kinds.
#
# operator: where it watches; leases: in its own namespace, with the key of its claims.
# page: in the cluster, where the page asks who looks and what they may; pageViewer, pageInspector: for people, who are
# given them; endOperator: before an uninstall.
"""


def rbac() -> dict[Path, str]:
    """The manifests, and the chart's rules."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}}
    leases = _granted("Role", f"{NAME}-leases", lease_rules())
    everywhere = [account, *_granted("ClusterRole", NAME, operator_rules()), *leases]
    page = [
        *_granted("ClusterRole", f"{NAME}-page", page_rules()),
        _role("ClusterRole", f"{NAME}-page-viewer", viewer_rules()),
        _role("ClusterRole", f"{NAME}-page-inspector", inspector_rules()),
    ]
    somewhere = [account, *_granted("Role", NAME, operator_rules()), *leases]
    return {
        OVERLAYS / "cluster-wide" / "rbac.yaml": CLUSTER + yaml.safe_dump_all(everywhere, sort_keys=False),
        OVERLAYS / "namespaced" / "rbac.yaml": NAMESPACED + yaml.safe_dump_all(somewhere, sort_keys=False),
        OVERLAYS / "page" / "rbac.yaml": PAGE + yaml.safe_dump_all(page, sort_keys=False),
        CHART: RULES + yaml.safe_dump(chart_rules(), sort_keys=False),
    }


def chart_rules() -> dict[str, list[dict[str, Any]]]:
    """By the names that the chart's templates use."""
    return {
        "operator": operator_rules(),
        "leases": lease_rules(),
        "page": page_rules(),
        "pageViewer": viewer_rules(),
        "pageInspector": inspector_rules(),
        "endOperator": [rule("apps", ["deployments"], "get", "delete")],
    }


def rights(plural: str, *, reads_secrets: bool, writes_beside: bool) -> list[tuple[str, tuple[str, ...]]]:
    """Resources and verbs that one kind needs. `writes_beside`: Secrets and workloads of its own."""
    wanted = {plural, f"{plural}/status", *(["secrets"] if reads_secrets or writes_beside else [])}
    wanted |= {"deployments"} if writes_beside else set()
    return [
        (resource, tuple(verb for verb in rule["verbs"] if writes_beside or resource != "secrets" or verb in READING))
        for rule in operator_rules()
        for resource in rule["resources"]
        if resource in wanted
    ]


def _granted(kind: str, name: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A role and its binding to the operator's service account."""
    role = _role(kind, name, rules)
    binding = {
        "apiVersion": f"{GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(role["metadata"]),
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }
    return [role, binding]


def _role(kind: str, name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    metadata = {"name": name} if kind == "ClusterRole" else {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "rules": rules}
