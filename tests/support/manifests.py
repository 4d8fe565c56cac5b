"""Objects that tests apply."""

from __future__ import annotations

from typing import Any, Final

from coder_enterprise.kinds.machinery.resource import GROUP, VERSION

API_VERSION: Final = f"{GROUP}/{VERSION}"
WATCHED: Final = {f"{GROUP}/watch": "true"}

Body = dict[str, Any]


def secret(name: str = "coder-token", /, *, watched: bool = True, **values: str) -> Body:
    metadata: Body = {"name": name, "labels": WATCHED if watched else {}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def deployment(url: str, name: str = "coder", **spec: Any) -> Body:
    return {
        "apiVersion": API_VERSION,
        "kind": "CoderDeployment",
        "metadata": {"name": name},
        "spec": {"url": url, "tokenSecretRef": {"name": "coder-token"}, **spec},
    }


def group(object_name: str, /, **spec: Any) -> Body:
    return {"apiVersion": API_VERSION, "kind": "CoderGroup", "metadata": {"name": object_name}, "spec": spec}


def user(object_name: str, /, **spec: Any) -> Body:
    """With an e-mail that follows from the object's name, unless spec has one."""
    spec = {"email": f"{object_name}@example.com", **spec}
    return {"apiVersion": API_VERSION, "kind": "CoderUser", "metadata": {"name": object_name}, "spec": spec}


def members(*users: str, mode: str = "Authoritative") -> Body:
    return {"mode": mode, "users": list(users)}


def license_(object_name: str = "licence", /, *, secret_name: str = "licence", **spec: Any) -> Body:
    spec = {"secretRef": {"name": secret_name}, **spec}
    return {"apiVersion": API_VERSION, "kind": "CoderLicense", "metadata": {"name": object_name}, "spec": spec}


def appearance(object_name: str = "looks", /, **spec: Any) -> Body:
    return {"apiVersion": API_VERSION, "kind": "CoderAppearance", "metadata": {"name": object_name}, "spec": spec}


def proxy(object_name: str, /, **spec: Any) -> Body:
    metadata = {"name": object_name}
    return {"apiVersion": API_VERSION, "kind": "CoderWorkspaceProxy", "metadata": metadata, "spec": spec}


def workload(**fields: Any) -> Body:
    return {"image": "ghcr.io/coder/coder:v2.20.0", "accessURL": "https://eu.coder.example.com", **fields}


def template_acl(object_name: str, /, **spec: Any) -> Body:
    """Of the template with the object's name, unless spec names another."""
    declared = {"template": {"name": object_name}} | spec
    return {"apiVersion": API_VERSION, "kind": "CoderTemplateACL", "metadata": {"name": object_name}, "spec": declared}


def roles(**declared: str) -> list[Body]:
    """Users and their roles."""
    return [{"user": user, "role": role} for user, role in declared.items()]
