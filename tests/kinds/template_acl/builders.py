"""The ACLs of templates as they are declared, shown and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.template_acl import TemplateACLKind, TemplateACLSpec
from coder_enterprise.kinds.template_acl.entries import Side
from coder_enterprise.kinds.template_acl.find import ObservedACL
from tests.support.old_coder import ORGANIZATION, TEMPLATE

KIND: Final = TemplateACLKind()
NAMES: Final = ("anna", "beth", "carl", "dora")
GROUP: Final = "91000000-0000-4000-8000-000000000000"
OTHER_GROUP: Final = "92000000-0000-4000-8000-000000000000"
ACL: Final = f"/templates/{TEMPLATE}/acl"
Body = dict[str, Any]


def user(name: str) -> str:
    """An id that ends with the name, which the scripted Coder takes for the username."""
    return f"50000000-0000-4000-8000-00000000{name}"


def people(**roles: str) -> dict[str, str]:
    return {user(name): role for name, role in roles.items()}


def spec(**declared: Any) -> TemplateACLSpec:
    users = declared.pop("users", None)
    if isinstance(users, Mapping):
        users = [{"user": name, "role": role} for name, role in users.items()]
    return TemplateACLSpec.model_validate({"template": {"name": "docker"}, "users": users} | declared)


def observed(
    desired: TemplateACLSpec, shown: Mapping[str, str], everyone: str | None = "use", **states: str
) -> ObservedACL:
    """Users alone: groups follow the same rules."""
    wanted = {user(item.user): str(item.role) for item in desired.users} if desired.users is not None else None
    known = {user(name): states.get(name, "active") for name in NAMES}
    return ObservedACL(
        external_id=TEMPLATE,
        fresh=True,
        template=records.Template(id=TEMPLATE, name="docker", organization_id=ORGANIZATION),
        users=Side("spec.users", wanted, dict(shown), {user(name): name for name in NAMES}, known),
        groups=Side("spec.groups", None, {}, {}, None),
        groups_shown=everyone is not None,
        everyone=everyone,
        pending=(),
        awaited=(),
    )


def plan(desired: TemplateACLSpec, shown: Mapping[str, str], recorded: Sequence[Body] = (), **fields: Any) -> list[str]:
    seen = observed(desired, shown, **fields)
    return [str(change) for change in KIND.plan(desired, seen, {"appliedUsers": list(recorded)})]


def entry(name: str, role: str, **fields: str) -> Body:
    return {"id": user(name), "name": name, "role": role} | fields


roles = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["use", "admin"]))


@dataclass
class Visits:
    """Reconciles one object as the engine does, without its policies."""

    context: Context
    status: Body

    async def __call__(self, **declared: Any) -> ObservedACL:
        desired = spec(**declared)
        written = desired.model_dump(mode="json", by_alias=True, exclude_none=True)
        self.context.directory.expire()
        observed = await KIND.observe(self.context, resource(self.status, **written), desired, fresh=True)
        changes = KIND.plan(desired, observed, self.status)
        if changes:
            self.status = self.status | KIND.intent(desired, changes, self.status)
            observed = await KIND.apply(self.context, desired, observed, changes)
        report = self.status | KIND.report(desired, observed, changes, self.status)
        self.status = {key: value for key, value in report.items() if value is not None}
        return observed

    async def delete(self, **declared: Any) -> None:
        await KIND.delete(self.context, resource(self.status, **declared))


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "docker", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderTemplateACL", {"metadata": metadata, "spec": declared, "status": status or {}})
