"""Callbacks of options that name something in Kubernetes: what cannot be such a name ends the command before it asks.

Otherwise a name with a slash would be a part of a path, and one that nothing can have would be looked for in vain.
"""

from __future__ import annotations

import typer


def namespace(value: str | None) -> str | None:
    return None if value is None else _checked(value)


def namespaces(value: list[str] | None) -> list[str] | None:
    return None if value is None else [_checked(each) for each in value]


def object_name(value: str) -> str:
    from coder_enterprise.kinds.machinery.object_names import name_fault

    fault = name_fault(value)
    if fault:
        raise typer.BadParameter(fault)
    return value


def _checked(value: str) -> str:
    from coder_enterprise.kinds.machinery.object_names import namespace_fault

    fault = namespace_fault(value)
    if fault:
        raise typer.BadParameter(f"{fault}; `kubectl get namespaces` lists those that there are")
    return value
