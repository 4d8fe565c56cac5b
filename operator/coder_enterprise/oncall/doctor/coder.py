"""One Coder, with the token of its CoderDeployment: whether it answers, who that is, and what declared kinds need."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from coder_enterprise.client import errors
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import OperatorError
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.client.operations import OPERATIONS, CoderRight
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.sendable import read_all
from coder_enterprise.kinds.machinery.base import DomainCondition, ManagedKind
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
from coder_enterprise.oncall.doctor.findings import About, Finding
from coder_enterprise.oncall.doctor.network import network
from coder_enterprise.oncall.standing import advice

OLDEST: Final = (2, 2)
"""Of the versions of Coder that the operator works with."""
EXPIRES_SOON: Final = 14
"""Days."""
NEVER: Final = 1
"""The year of a time that Coder leaves unset."""
OWNER: Final = "owner"
RIGHTS: Final = "rights"
Kind = ManagedKind[Any, Any]


async def deployment(
    client: KubernetesClient, resource: Resource, declared: Iterable[Resource]
) -> AsyncIterator[Finding]:
    """`declared` are all objects; those of this deployment are looked for. Never raises for what it finds."""
    about = About(resource.key.namespaced_name)
    try:
        settings = await _settings(client, resource)
    except (OperatorError, KubernetesError) as error:
        if getattr(error, "reason", "") == Reason.FORBIDDEN:
            text = f"you may not read the Secrets that {resource.key} refers to, so Coder is not asked"
            yield about.warning("Secret", text, "ask for the right to get Secrets, or for somebody who may")
            return
        yield about.failure("Secret", str(error), advice(getattr(error, "reason", "")) or "correct the CoderDeployment")
        return
    except ValidationError:
        yield about.failure("spec", "this program does not understand it", "install CRDs and command of one version")
        return
    for finding in await network(about, settings.url, settings.ca_bundle):
        yield finding
    async with CoderClient(settings) as coder:
        probe = await CONNECTION_KIND.probe(coder, Directory(coder))
        for condition in probe.conditions:
            yield _condition(about, condition)
        if not probe.usable:
            return
        yield _version(about, str(probe.fields.get("version") or ""), str(probe.fields.get("wireProfile") or ""))
        kinds = {each.key.kind for each in declared if each.deployment == resource.key[1:]}
        yield await _token(about, coder)
        declared_kinds = sorted((kind for kind in MANAGED_KINDS if kind.names.kind in kinds), key=_name)
        roles = (probe.fields.get("identity") or {}).get("roles") or ()
        for finding in await _rights(about, coder, declared_kinds, roles):
            yield finding
        for finding in _licensed(about, declared_kinds, probe.features):
            yield finding


async def _settings(client: KubernetesClient, resource: Resource) -> ConnectionSettings:
    spec = CONNECTION_KIND.spec_model.model_validate(resource.spec)
    values = await read_all(client, resource.key.namespace, CONNECTION_KIND.secrets(spec))
    return CONNECTION_KIND.settings(spec, values)


def _condition(about: About, condition: DomainCondition) -> Finding:
    """Reachable and Authenticated decide; the others tell."""
    if condition.status == "True":
        return about.ok(condition.type, condition.message)
    step = advice(condition.reason)
    if condition.type in {"Reachable", "Authenticated"} and condition.status == "False":
        return about.failure(condition.type, condition.message, step)
    return about.warning(condition.type, condition.message, step)


def _version(about: About, version: str, profile: str) -> Finding:
    text = f"Coder {version}" + (f", which answers in the wire profile {profile}" if profile else "")
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        return about.warning(
            "version", text, f"upgrade: the operator works with Coder {OLDEST[0]}.{OLDEST[1]} and later"
        )
    return about.ok("version", text)


async def _token(about: About, coder: CoderClient) -> Finding:
    try:
        key = await coder.users.own_key()
    except errors.CoderError as error:
        return about.warning("token", f"Coder does not tell when it expires: {error.message}", "note its end yourself")
    if key.expires_at.year <= NEVER:
        return about.ok("token", "the token does not expire")
    days = (key.expires_at - datetime.now(UTC)).days
    text = f"the token expires in {days} days"
    if days < EXPIRES_SOON:
        return about.warning("token", text, "`coder-enterprise create token-secret … --replace` puts a new one there")
    return about.ok("token", text)


def _name(kind: Kind) -> str:
    return kind.names.kind


async def _rights(about: About, coder: CoderClient, kinds: Sequence[Kind], roles: Sequence[str]) -> list[Finding]:
    """What Coder itself says that the token may do, against what the declared kinds ask for."""
    wanted = {kind: sorted({right for call in _required(kind) if (right := OPERATIONS[call].right)}) for kind in kinds}
    asked = sorted({right for rights in wanted.values() for right in rights})
    if not asked:
        return []
    try:
        granted = await coder.users.may(asked)
        somewhere = await coder.users.may(asked, somewhere=True)
    except errors.CoderError:
        return list(_by_role(about, kinds, roles))
    lacking = [_lacking(about, kind, rights, granted, somewhere) for kind, rights in wanted.items()]
    found = [finding for finding in lacking if finding is not None]
    return found or [about.ok(RIGHTS, "the token may do all that the declared kinds ask for")]


def _required(kind: Kind) -> Sequence[str]:
    return [call for call in kind.calls if call not in kind.attempts]


def _lacking(
    about: About,
    kind: Kind,
    rights: Sequence[CoderRight],
    granted: Mapping[CoderRight, bool],
    somewhere: Mapping[CoderRight, bool],
) -> Finding | None:
    missing = [right for right in rights if not granted[right]]
    if not missing:
        return None
    partly = all(somewhere[right] for right in missing)
    where = ", but in some organizations, which must be those of the objects" if partly else ""
    text = f"{kind.names.kind} may be refused: the token may not {', '.join(map(str, missing))}{where}"
    step = f"use the token of an owner; docs/reference/kinds/{kind.names.singular}.md says which call takes which right"
    return about.warning(RIGHTS, text, step)


def _by_role(about: About, kinds: Sequence[Kind], roles: Sequence[str]) -> Iterator[Finding]:
    """Where Coder does not tell."""
    if OWNER in roles:
        yield about.ok(RIGHTS, "the token is an owner's, who may do all that objects ask for")
        return
    held = ", ".join(roles) or "member"
    for kind in kinds:
        step = f"use the token of an owner; docs/reference/kinds/{kind.names.singular}.md names the rights"
        yield about.warning(RIGHTS, f"{kind.names.kind} may be refused: the token's user is {held}", step)


def _licensed(about: About, kinds: Sequence[Kind], features: Mapping[str, bool] | None) -> Iterator[Finding]:
    for kind in kinds:
        if kind.feature is None or features is None:
            continue
        if features.get(kind.feature):
            yield about.ok("licence", f"{kind.names.kind} needs {kind.feature}, which is enabled")
        else:
            yield about.failure(
                "licence", f"{kind.names.kind} needs {kind.feature}, which is not enabled", "add a licence that has it"
            )
