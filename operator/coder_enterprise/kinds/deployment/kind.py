"""CoderDeployment as the controller drives it."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from coder_enterprise.client import errors
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.kinds.deployment.answers import REFUSALS, ask
from coder_enterprise.kinds.deployment.connection import connection_settings, key_ref
from coder_enterprise.kinds.deployment.probe import build_info, healthy_probe, not_authenticated, unusable
from coder_enterprise.kinds.deployment.spec import DEFAULT_RESYNC, DeploymentSpec
from coder_enterprise.kinds.deployment.status import DeploymentStatus
from coder_enterprise.kinds.machinery import durations
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.common import AGE_COLUMNS, READY_COLUMNS, STATUS_DEFAULT
from coder_enterprise.kinds.machinery.connection import ConnectionKind, Probe, SecretKeyRef
from coder_enterprise.kinds.machinery.consent import Allowance
from coder_enterprise.kinds.machinery.crd import Column, custom_resource_definition
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Names


class DeploymentKind(ConnectionKind[DeploymentSpec]):
    names = Names("CoderDeployment", "coderdeployments", "coderdeployment", "coderdep")
    spec_model = DeploymentSpec
    calls = (
        "buildinfo.get",
        "entitlements.get",
        "keys.get",
        "licenses.list",
        "organizations.all",
        "organizations.get",
        "organizations.list",
        "provisionerdaemons.list",
        "replicas.list",
        "users.me",
        "workspaceproxies.list",
    )
    attempts = frozenset(calls) - {"buildinfo.get", "users.me"}
    crd = custom_resource_definition(
        names=names,
        spec=DeploymentSpec,
        status=DeploymentStatus,
        status_default=dict(STATUS_DEFAULT),
        description="How to reach one Coder deployment, and how that deployment is.",
        columns=(
            *READY_COLUMNS,
            Column("Version", ".status.version"),
            Column("Replicas", ".status.replicasHealthy"),
            Column("Licence days", ".status.license.daysLeft", type="integer"),
            Column("URL", ".spec.url", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def secrets(self, spec: DeploymentSpec) -> tuple[SecretKeyRef, ...]:
        refs = (spec.token_secret_ref, spec.ca_bundle_secret_ref, spec.scim_secret_ref)
        return tuple(key_ref(ref) for ref in refs if ref is not None)

    @override
    def settings(self, spec: DeploymentSpec, values: Mapping[SecretKeyRef, str]) -> ConnectionSettings:
        return connection_settings(self.url(spec), spec, values)

    @override
    def url(self, spec: DeploymentSpec) -> str:
        return spec.url.rstrip("/")

    @override
    def allowances(self, spec: DeploymentSpec) -> tuple[Allowance, ...]:
        short = (Allowance(namespaces=spec.allowed_namespaces),) if spec.allowed_namespaces else ()
        return (*(spec.allow or ()), *short)

    @override
    def rate(self, spec: DeploymentSpec) -> float | None:
        return spec.max_requests_per_second

    @override
    def resync(self, spec: DeploymentSpec) -> float:
        return durations.seconds(spec.resync_interval) if spec.resync_interval else DEFAULT_RESYNC

    @override
    async def probe(self, client: CoderClient, directory: Directory) -> Probe:
        try:
            build = await build_info(client)
            reachable = DomainCondition("Reachable", "True", Reason.ANSWERING, f"{client.settings.url} answers")
            me = await ask(client.users.me)
            if isinstance(me, REFUSALS):
                return not_authenticated(reachable, build, me)
            return await healthy_probe(client, directory, reachable, build, me)
        except errors.CoderError as error:
            return self.unusable(error)

    @override
    def unusable(self, error: errors.OperatorError) -> Probe:
        return unusable(error)
