"""What Terraform's coderd provider manages, read from a state: which things an export is about, and how to let go.

Called by `coder-enterprise export --from-terraform`. The state only says which things they are; what they are like, a
live Coder says. Secrets that a state holds are not looked at.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = {
    "coderd_group": "CoderGroup",
    "coderd_user": "CoderUser",
    "coderd_workspace_proxy": "CoderWorkspaceProxy",
    "coderd_license": "CoderLicense",
    "coderd_template": "CoderTemplateACL",
}
TEMPLATE: Final = "coderd_template"
"""Of it, only the ACL has an object here."""


class StateError(Exception):
    """The file is no state; the message says why."""


@dataclass(frozen=True, slots=True)
class Managed:
    """One resource of the provider."""

    address: str
    """As Terraform writes it, such as `module.a.coderd_group.x["b"]`."""
    type: str
    id: str
    """Empty where the provider keeps none, such as for a provisioner key."""
    acl_elsewhere: bool = False
    """A template's, whose `acl` is null: Terraform does not look at it."""

    @property
    def kind(self) -> str | None:
        """Which declares what Terraform manages of it."""
        return None if self.acl_elsewhere else KINDS.get(self.type)


def read_state(text: str) -> list[Managed]:
    """From a state file (version 4), or from what `terraform show -json` prints. Raises `StateError`."""
    try:
        document = json.loads(text)
        if "values" in document:
            found = list(_shown(document["values"].get("root_module") or {}))
        elif document.get("version") == 4:
            found = list(_stored(document.get("resources") or ()))
        else:
            raise StateError("it is no state of version 4, nor what `terraform show -json` prints")
        return [each for each in found if each.type.startswith("coderd_")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StateError("it is no Terraform state") from None


def ids_of(managed: Iterable[Managed]) -> frozenset[str]:
    """Of the things in Coder for which there is a kind."""
    return frozenset(each.id for each in managed if each.kind and each.id)


def _stored(resources: Sequence[Mapping[str, Any]]) -> Iterator[Managed]:
    for resource in resources:
        if resource.get("mode") != "managed":
            continue
        prefix = f"{resource['module']}." if resource.get("module") else ""
        for instance in resource.get("instances") or ():
            key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
            address = f"{prefix}{resource['type']}.{resource['name']}{key}"
            yield _managed(address, resource["type"], instance.get("attributes") or {})


def _shown(module: Mapping[str, Any]) -> Iterator[Managed]:
    for resource in module.get("resources") or ():
        if resource.get("mode") == "managed":
            yield _managed(resource["address"], resource["type"], resource.get("values") or {})
    for child in module.get("child_modules") or ():
        yield from _shown(child)


def _managed(address: str, type_: str, attributes: Mapping[str, Any]) -> Managed:
    acl_elsewhere = type_ == TEMPLATE and attributes.get("acl") is None
    return Managed(address, type_, str(attributes.get("id") or ""), acl_elsewhere)


def releases(managed: Sequence[Managed], exported: frozenset[str]) -> list[str]:
    """What to do so that Terraform lets go of what was exported, by id; a command or a sentence each."""
    told = []
    for each in managed:
        if each.acl_elsewhere:
            told.append(
                f"# {each.address} stays with Terraform, which leaves its ACL alone: nothing was exported for it"
            )
        elif each.kind is None:
            told.append(f"# {each.address} stays with Terraform: there is no kind for it")
        elif each.id not in exported:
            told.append(f"# {each.address} is not in Coder, or has nothing to declare: nothing was exported for it")
        elif each.type == TEMPLATE:
            told.append(f"# {each.address} stays with Terraform: set `acl = null` there, and apply")
        else:
            told.append(f"terraform state rm {shlex.quote(each.address)}")
    return told
