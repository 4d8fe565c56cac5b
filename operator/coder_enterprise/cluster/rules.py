"""What the operator may do in Kubernetes, and nothing more, as rules of RBAC.

One source for the roles that are generated, and for the doctor, which asks whether the operator has them. A new kind
gets its rules by being registered.
"""

from __future__ import annotations

from typing import Any, Final

from coder_enterprise.cluster.marks import CLAIMS
from coder_enterprise.kinds.machinery.resource import GROUP
from coder_enterprise.kinds.registry import CONNECTION_KIND, KINDS

Rule = dict[str, Any]

INSPECT: Final = "inspect"
"""The verb for CoderDeployments that lets somebody see what Coder says of people and templates."""


def operator_rules() -> list[Rule]:
    """Where it watches."""
    plurals = sorted(kind.names.plural for kind in KINDS)
    return [
        rule(GROUP, plurals, "get", "list", "watch", "patch"),
        rule(GROUP, [f"{plural}/status" for plural in plurals], "patch"),
        rule("", ["secrets"], "get", "list", "watch", "create", "patch"),
        rule("", ["namespaces"], "get"),
        rule("apps", ["deployments"], "get", "create", "patch", "delete"),
        rule("events.k8s.io", ["events"], "create", "patch"),
    ]


def lease_rules() -> list[Rule]:
    """In its own namespace, with the key of its claims."""
    return [
        rule("coordination.k8s.io", ["leases"], "list", "create", "update", "delete"),
        rule("", ["secrets"], "create"),  # RBAC knows no name of what is not there yet
        rule("", ["secrets"], "get", "list", "watch") | {"resourceNames": [CLAIMS]},
    ]


def page_rules() -> list[Rule]:
    """In the cluster, where the page asks who looks: whose a token is, and what somebody may."""
    return [
        rule("authentication.k8s.io", ["tokenreviews"], "create"),
        rule("authorization.k8s.io", ["subjectaccessreviews"], "create"),
    ]


def viewer_rules() -> list[Rule]:
    """For people, where they look with the page: objects and what happened to them."""
    plurals = sorted(kind.names.plural for kind in KINDS)
    return [rule(GROUP, plurals, "get", "list", "watch"), rule("events.k8s.io", ["events"], "list")]


def inspector_rules() -> list[Rule]:
    """For people who may see what Coder itself says, too: a verb that no other part of Kubernetes uses."""
    return [*viewer_rules(), rule(GROUP, [CONNECTION_KIND.names.plural], INSPECT)]


def rule(group: str, resources: list[str], *verbs: str) -> Rule:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
