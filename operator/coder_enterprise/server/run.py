"""The server as a process: opens the database, listens, and ends in good order. Called by the command line."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Final, Protocol

import structlog

from coder_enterprise.process.addresses import url_of
from coder_enterprise.server.probes import Probes
from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.routes.dependencies import Services
from coder_enterprise.server.routes.metrics import MetricsPage
from coder_enterprise.server.services.appearance import Appearance
from coder_enterprise.server.services.audit_logs import Audit
from coder_enterprise.server.services.authorization import Authorization
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.development_license import development_keys
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.files import Files
from coder_enterprise.server.services.groups import Groups
from coder_enterprise.server.services.job_logs import JobLogs
from coder_enterprise.server.services.licenses import Licenses
from coder_enterprise.server.services.members import Members
from coder_enterprise.server.services.metrics import ServiceMetrics
from coder_enterprise.server.services.observations import Observations
from coder_enterprise.server.services.organizations import Organizations
from coder_enterprise.server.services.provisioner_daemons import ProvisionerDaemons
from coder_enterprise.server.services.provisioner_jobs import ProvisionerJobs
from coder_enterprise.server.services.provisioner_keys import ProvisionerKeys
from coder_enterprise.server.services.proxies import Proxies
from coder_enterprise.server.services.proxy_health import ProxyHealth
from coder_enterprise.server.services.quiet_hours import QuietHours, default_schedule
from coder_enterprise.server.services.readiness import Readiness
from coder_enterprise.server.services.registrations import Registrations
from coder_enterprise.server.services.replicas import Replicas
from coder_enterprise.server.services.retention import Retention
from coder_enterprise.server.services.scim import Scim
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.services.template_acls import TemplateACLs
from coder_enterprise.server.services.template_versions import TemplateVersions
from coder_enterprise.server.services.templates import Templates
from coder_enterprise.server.services.tokens import Tokens
from coder_enterprise.server.services.users import Users
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.services.workspace_builds import WorkspaceBuilds
from coder_enterprise.server.services.workspace_quota import WorkspaceQuotas
from coder_enterprise.server.services.workspaces import Workspaces
from coder_enterprise.server.serving import Server, scheme_of, serving_aside
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.measured import MeasuredDatabase
from coder_enterprise.server.storage.open import open_database, open_postgresql_database
from coder_enterprise.server.tls import ServerCertificate
from coder_enterprise.server.workers.entitlements import EntitlementsWorker
from coder_enterprise.server.workers.provisioners import ProvisionerCleaner
from coder_enterprise.server.workers.proxies import ProxyHealthLoop
from coder_enterprise.server.workers.replicas import ReplicaSync
from coder_enterprise.server.workers.retention import RetentionWorker
from coder_enterprise.server.workers.variables import VariablesWorker

NONE: Final[Mapping[str, bytes]] = {}

log = structlog.get_logger(__name__)


async def serve(settings: Settings, listener: socket.socket, metrics: socket.socket | None = None) -> None:
    """Until SIGTERM or SIGINT; without a socket for them there are no metrics. Raises `SettingsError` and
    `StorageError` before anything is served."""
    token = settings.bootstrap_token()
    certificate = ServerCertificate(settings.tls) if settings.tls else None
    database = await _open(settings)
    try:
        deployment_id = await bootstrap(database, settings.first_user, token)
        deployment = Deployment(settings.access_url or url_of(listener, scheme_of(certificate)), deployment_id)
        wanted = settings.development_license and settings.license_keys_file is None
        own_keys = await development_keys(database, deployment_id, wanted=wanted)
        services = create_services(settings, database, deployment, own_keys)
        await services.entitlements.refresh()
        app = create_app(services, settings.rate_limit, settings.trusted_headers, settings.trusted_origins)
        server = Server(app, services.readiness, settings.shutdown_delay, certificate)
        aside = serving_aside(MetricsPage(app), metrics) if metrics else nullcontext()
        async with aside, Probes() as probes, _in_background(*_workers(settings, database, services, probes)):
            await server.serve(sockets=[listener])
    finally:
        await database.close()


def create_services(
    settings: Settings, storage: Database, deployment: Deployment, own_keys: Mapping[str, bytes] = NONE
) -> Services:
    """`own_keys` are those that the server itself signs licences with. Every feature is off until `entitlements` are
    refreshed. Raises `SettingsError`."""
    database = MeasuredDatabase(storage)
    configured = frozenset({Feature.SCIM} if settings.scim_auth_header else ())
    entitlements = Entitlements(database, {**settings.license_keys(), **own_keys}, deployment.id, configured)
    sessions = Sessions(database)
    logs = JobLogs(database)
    variables = Variables(settings.encryption_keys)
    jobs = ProvisionerJobs(database, entitlements, deployment, logs, variables)
    schedule = default_schedule(settings.quiet_hours_default_schedule)
    proxy_health = ProxyHealth(database.notifications)
    return Services(
        profile=settings.profile,
        deployment=deployment,
        observations=Observations(database),
        authorization=Authorization(database),
        sessions=sessions,
        users=Users(database, sessions),
        organizations=Organizations(database),
        groups=Groups(database, entitlements),
        scim=Scim(database, sessions, entitlements, deployment.access_url, settings.scim_auth_header),
        entitlements=entitlements,
        licenses=Licenses(database, entitlements),
        appearance=Appearance(database, entitlements, settings.support_links),
        members=Members(database),
        templates=Templates(database, entitlements),
        template_acls=TemplateACLs(database, entitlements),
        quiet_hours=QuietHours(database, entitlements, schedule, custom=settings.allow_custom_quiet_hours),
        tokens=Tokens(database, sessions),
        audit=Audit(database),
        proxies=Proxies(database, entitlements, deployment, proxy_health),
        registrations=Registrations(database, entitlements, proxy_health),
        readiness=Readiness(database),
        replicas=Replicas(database, settings.relay_url),
        provisioner_daemons=ProvisionerDaemons(database, sessions, entitlements, jobs, settings.provisioner_daemon_psk),
        provisioner_keys=ProvisionerKeys(database, entitlements),
        provisioner_jobs=jobs,
        job_logs=logs,
        files=Files(database),
        retention=Retention(database, settings.retention),
        template_versions=TemplateVersions(database, jobs, logs, variables),
        workspaces=Workspaces(database, jobs),
        workspace_builds=WorkspaceBuilds(database, jobs, logs),
        workspace_quotas=WorkspaceQuotas(database, entitlements),
        metrics=ServiceMetrics(database, entitlements, proxy_health),
    )


class _Worker(Protocol):
    async def run(self) -> None:
        """Until it is cancelled."""


def _workers(settings: Settings, database: Database, services: Services, probes: Probes) -> Iterator[_Worker]:
    yield EntitlementsWorker(services.entitlements)
    yield ProxyHealthLoop(database, services.proxies.health, probes, settings.proxy_health_interval)
    yield ReplicaSync(services.replicas, probes, services.entitlements.count_replicas)
    yield RetentionWorker(services.retention)
    yield VariablesWorker(database, Variables(settings.encryption_keys))
    yield ProvisionerCleaner(services.provisioner_jobs, services.provisioner_daemons)


@asynccontextmanager
async def _in_background(*workers: _Worker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(worker.run(), name=type(worker).__name__) for worker in workers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task, outcome in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
            if isinstance(outcome, Exception):
                log.error("a worker did not end in good order", worker=task.get_name(), exc_info=outcome)


async def _open(settings: Settings) -> Database:
    if settings.pg_connection_url:
        return await open_postgresql_database(settings.pg_connection_url)
    return open_database(settings.sqlite_path)
