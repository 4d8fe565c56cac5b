"""CoderWorkspaceProxy as the controller drives it: observe, plan, apply, report, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.client import errors
from coder_enterprise.client.clock import now
from coder_enterprise.kinds.machinery.base import Context, ManagedKind, Verdict
from coder_enterprise.kinds.machinery.changes import Action, Change, creates, paths_of, updates
from coder_enterprise.kinds.machinery.common import AGE_COLUMNS, READY_COLUMNS, STATUS_DEFAULT, ManagementPolicy
from coder_enterprise.kinds.machinery.consent import Demand
from coder_enterprise.kinds.machinery.crd import Column, custom_resource_definition
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.names import NAME, OWN, is_one_of, matches, own_name
from coder_enterprise.kinds.machinery.resource import Names, Resource
from coder_enterprise.kinds.machinery.schema import Cel
from coder_enterprise.kinds.proxy.declare import proxy_declarations
from coder_enterprise.kinds.proxy.find import ObservedProxy, find_unlisted, listed, prove_gone
from coder_enterprise.kinds.proxy.health import healthy_condition, proxy_fields, registered_condition
from coder_enterprise.kinds.proxy.settings import WRITTEN_TO_CODER, declared_name, settings, write_proxy, write_secret
from coder_enterprise.kinds.proxy.spec import LIKE_AN_ID, MAX_NAME, RESERVED, ProxySpec, ProxyStatus
from coder_enterprise.kinds.proxy.standing import REVISIT, how_it_stands, look_again_in
from coder_enterprise.kinds.proxy.token import STOMPED_PATH, TOKEN_PATH, URL_PATH, secret_name, token_changes
from coder_enterprise.kinds.proxy.workload import (
    WORKLOAD_PATH,
    available_condition,
    workload_changes,
    workload_fields,
    workload_state,
    write_workload,
)
from coder_enterprise.kinds.proxy.workload_body import workload_name

MAX_AGE: Final = 10.0
"""Seconds: a list of proxies that is younger serves all who ask for their health; half of that if one is not ready."""


class ProxyKind(ManagedKind[ProxySpec, ObservedProxy]):
    names = Names("CoderWorkspaceProxy", "coderworkspaceproxies", "coderworkspaceproxy", "coderproxy")
    things = "workspace proxies"
    needs_cluster = True
    spec_model = ProxySpec
    calls = (
        "users.me",
        "workspaceproxies.create",
        "workspaceproxies.delete",
        "workspaceproxies.get",
        "workspaceproxies.list",
        "workspaceproxies.update",
    )
    feature = "workspace_proxy"
    alters_deployment = True
    crd = custom_resource_definition(
        names=names,
        spec=ProxySpec,
        status=ProxyStatus,
        status_default=dict(STATUS_DEFAULT),
        scale={
            "specReplicasPath": ".spec.workload.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
        validations=(
            own_name(
                "name",
                "name of a workspace proxy in Coder",
                matches(OWN, NAME),
                f"size({OWN}) <= {MAX_NAME}",
                f"!({is_one_of(OWN, RESERVED)})",
                f"!{matches(OWN, LIKE_AN_ID)}",
            ),
            Cel(
                "!has(self.spec.workload) || size(self.metadata.name) <= 55",
                "metadata.name must have at most 55 characters, because the workload is called after it",
                field_path=".spec.workload",
            ),
        ),
        description="A workspace proxy of a Coder deployment: its name, its token, its health, and what runs it.",
        columns=(
            *READY_COLUMNS,
            Column("Health", ".status.health.status"),
            Column("URL", ".status.url"),
            Column("External ID", ".status.id", priority=1),
            Column("Version", ".status.version", priority=1),
            Column("Replicas", ".status.readyReplicas", type="integer", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def secrets(self, resource: Resource, spec: ProxySpec) -> tuple[str, ...]:
        return (secret_name(resource, spec),)

    @override
    def demand(self, spec: ProxySpec, changes: Sequence[Change] = ()) -> Demand:
        return Demand(self.names.kind, workload=spec.workload is not None)

    @override
    def external_name(self, resource: Resource, spec: ProxySpec) -> str:
        return declared_name(resource, spec).lower()

    @override
    async def identity(self, context: Context, resource: Resource, spec: ProxySpec) -> str:
        return self.external_name(resource, spec)

    @override
    async def observe(self, context: Context, resource: Resource, spec: ProxySpec, *, fresh: bool) -> ObservedProxy:
        age = 0.0 if fresh else MAX_AGE if resource.ready else MAX_AGE / 2
        index = await listed(context).get(newer_than=now() - age)
        name = declared_name(resource, spec)
        namesake = index.named(name)
        proxy = index.get(resource.external_id) if resource.external_id else namesake
        if proxy is None and fresh and resource.external_id:
            proxy = await find_unlisted(context, resource.external_id) or namesake
        deployment = None
        if spec.workload or resource.status.get("selector"):
            deployment = await context.beside.workload(resource, workload_name(resource.key.name))
        kept = await context.beside.kept_secret(resource, secret_name(resource, spec), fresh=fresh)
        return ObservedProxy(
            external_id=proxy.id if proxy else None,
            fresh=fresh or (proxy is None and resource.external_id is None),
            resource=resource,
            name=name,
            proxy=proxy,
            namesake=namesake,
            primary_url=context.client.settings.url,
            secret=kept.values if kept else None,
            intact=kept is None or kept.intact,
            deployment=deployment,
            now=datetime.now(UTC),
        )

    @override
    def plan(self, desired: ProxySpec, observed: ObservedProxy, recorded: Mapping[str, Any]) -> list[Change]:
        if observed.proxy is None:
            changes = [Change(Action.CREATE, "spec", after=observed.name)]
        else:
            changes = updates(settings(desired, observed.name, observed.proxy))
        if desired.management_policy is ManagementPolicy.OBSERVE:
            return changes
        changes += token_changes(desired, observed, recorded)
        return changes + workload_changes(desired, observed, new_token=TOKEN_PATH in paths_of(changes))

    @override
    def intent(self, desired: ProxySpec, changes: Sequence[Change], recorded: Mapping[str, Any]) -> dict[str, Any]:
        if TOKEN_PATH in paths_of(changes):
            return {"tokenFingerprint": None} if "tokenFingerprint" in recorded else {}
        # Recorded before the Deployment exists: it must be found again when spec.workload is removed.
        made = [change.subject for change in changes if change.action is Action.CREATE and change.path == WORKLOAD_PATH]
        return {"selector": made[0]} if made else {}

    @override
    async def apply(
        self, context: Context, desired: ProxySpec, observed: ObservedProxy, changes: Sequence[Change]
    ) -> ObservedProxy:
        paths = paths_of(changes)
        if observed.proxy is None and not creates(changes):
            return observed
        if TOKEN_PATH in paths:
            # What cannot be written must be known before the old token dies.
            observed = await write_secret(context, desired, observed, observed.token)
        if paths & WRITTEN_TO_CODER:
            observed = await write_proxy(context, desired, observed, changes)
        elif paths & {URL_PATH, STOMPED_PATH}:
            observed = await write_secret(context, desired, observed, observed.token)
        if TOKEN_PATH in paths:
            return replace(observed, postponed=desired.workload is not None)
        touched = any(path.startswith(WORKLOAD_PATH) for path in paths)
        return await write_workload(context, desired, observed) if touched else observed

    @override
    def report(
        self,
        desired: ProxySpec,
        observed: ObservedProxy,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        fields = proxy_fields(observed) | workload_fields(desired, observed)
        if TOKEN_PATH not in paths_of(changes):
            return fields
        return fields | {
            "tokenFingerprint": observed.issued,
            "tokenRotatedAt": timestamp(observed.now),
            "lastHandledRotateAt": observed.requested or recorded.get("lastHandledRotateAt"),
        }

    @override
    def verdict(self, desired: ProxySpec, observed: ObservedProxy) -> Verdict:
        if observed.proxy is None:
            return Verdict(revisit=REVISIT, dropped=("Registered", "Healthy", "WorkloadAvailable"))
        running = workload_state(desired, observed)
        registered, healthy = registered_condition(observed), healthy_condition(observed)
        workload_condition = available_condition(running)
        verdict = how_it_stands(desired, observed, registered, healthy, workload_condition)
        return replace(
            verdict,
            conditions=(registered, healthy, *((workload_condition,) if workload_condition else ())),
            dropped=() if workload_condition else ("WorkloadAvailable",),
            revisit=look_again_in(desired, observed, ready=verdict.ready),
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> None:
        proxy_id = resource.external_id
        if proxy_id is None:
            return
        try:
            await context.client.proxies.delete(proxy_id)
        except errors.NotFound as error:
            await prove_gone(context, error)
        listed(context).change(lambda index: index.drop(proxy_id))

    @override
    async def declarations(self, context: Context, names: Mapping[str, str]) -> Sequence[Declaration]:
        return await proxy_declarations(context)
