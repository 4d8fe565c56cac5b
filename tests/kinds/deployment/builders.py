"""A CoderDeployment, and its probe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.deployment import DeploymentKind, DeploymentSpec
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.connection import Probe
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.support.structural import problems

KIND: Final = DeploymentKind()
ORGANIZATION: Final = "0e0e0e0e-0000-4000-8000-000000000000"
DAEMONS: Final = f"/organizations/{ORGANIZATION}/provisionerdaemons"
STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
Body = dict[str, Any]


def spec(**fields: Any) -> DeploymentSpec:
    known = {"url": "https://coder.example.com", "tokenSecretRef": {"name": "coder-token"}}
    return DeploymentSpec.model_validate(known | fields)


def feature(entitlement: str = "entitled", *, enabled: bool = True) -> Body:
    return {"entitlement": entitlement, "enabled": enabled}


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def license_until(moment: datetime) -> Body:
    return {"id": 1, "uuid": "x", "claims": {"license_expires": moment.timestamp()}}


async def probe(client: CoderClient) -> Probe:
    found = await KIND.probe(client, Directory(client))
    shown = {key: value for key, value in found.fields.items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []
    return found


def condition(found: Probe, type_: str) -> DomainCondition:
    return next(item for item in found.conditions if item.type == type_)


def state(found: Probe, type_: str) -> tuple[str, Reason]:
    item = condition(found, type_)
    return item.status, item.reason
