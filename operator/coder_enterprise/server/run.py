"""The server as a process: opens the database, listens, and ends in good order. Called by the command line."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol

import structlog
import uvicorn
from typing_extensions import override

from coder_enterprise.server.connections import KEEP_ALIVE, Connection
from coder_enterprise.server.probes import Probes
from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.routes.dependencies import Services
from coder_enterprise.server.services.appearance import Appearance
from coder_enterprise.server.services.audit_logs import Audit
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.files import Files
from coder_enterprise.server.services.groups import Groups
from coder_enterprise.server.services.licenses import Licenses
from coder_enterprise.server.services.members import Members
from coder_enterprise.server.services.organizations import Organizations
from coder_enterprise.server.services.provisioner_daemons import ProvisionerDaemons
from coder_enterprise.server.services.provisioner_jobs import ProvisionerJobs
from coder_enterprise.server.services.provisioner_keys import ProvisionerKeys
from coder_enterprise.server.services.proxies import Proxies
from coder_enterprise.server.services.proxy_health import ProxyHealth
from coder_enterprise.server.services.quiet_hours import QuietHours, default_schedule
from coder_enterprise.server.services.registrations import Registrations
from coder_enterprise.server.services.replicas import Replicas
from coder_enterprise.server.services.scim import Scim
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.services.template_acls import TemplateACLs
from coder_enterprise.server.services.template_versions import TemplateVersions
from coder_enterprise.server.services.templates import Templates
from coder_enterprise.server.services.tokens import Tokens
from coder_enterprise.server.services.users import Users
from coder_enterprise.server.services.workspace_builds import WorkspaceBuilds
from coder_enterprise.server.services.workspace_quota import WorkspaceQuotas
from coder_enterprise.server.services.workspaces import Workspaces
from coder_enterprise.server.settings import Settings, SettingsError
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.open import open_database, open_postgresql_database
from coder_enterprise.server.workers.entitlements import EntitlementsWorker
from coder_enterprise.server.workers.provisioners import ProvisionerCleaner
from coder_enterprise.server.workers.proxies import ProxyHealthLoop
from coder_enterprise.server.workers.replicas import ReplicaSync

DRAIN_TIMEOUT: Final = 10
"""Seconds that requests have to finish after SIGTERM."""
BACKLOG: Final = 2048
MAX_WEBSOCKET_MESSAGE: Final = 256 * 1024
"""Bytes; Coder and its daemons send no larger ones."""

log = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises `SettingsError` and `StorageError` before anything is served."""
    token = settings.bootstrap_token()
    database = await _open(settings)
    try:
        deployment_id = await bootstrap(database, settings.first_user, token)
        with _listen(settings) as listener:
            url = _url(settings, listener)
            deployment = Deployment(settings.access_url or url, deployment_id)
            services = create_services(settings, database, deployment)
            await services.entitlements.refresh()
            app = create_app(services, settings.rate_limit, settings.trusted_headers, settings.trusted_origins)
            async with Probes() as probes, _in_background(*_workers(settings, database, services, probes)):
                await _Server(server_config(app), url).serve(sockets=[listener])
    finally:
        await database.close()


def server_config(app: Callable[..., Any]) -> uvicorn.Config:
    """Websockets with dead peers are closed: uvicorn pings each of them."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="websockets-sansio",
        ws_max_size=MAX_WEBSOCKET_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `routes.clients` knows which ones to believe
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN_TIMEOUT,
    )


def create_services(settings: Settings, database: Database, deployment: Deployment) -> Services:
    """Raises `SettingsError`. Every feature is off until `entitlements` are refreshed."""
    configured = frozenset({Feature.SCIM} if settings.scim_auth_header else ())
    entitlements = Entitlements(database, settings.license_keys(), deployment.id, configured)
    sessions = Sessions(database)
    jobs = ProvisionerJobs(database, entitlements, deployment)
    schedule = default_schedule(settings.quiet_hours_default_schedule)
    proxy_health = ProxyHealth(database.notifications)
    return Services(
        profile=settings.profile,
        deployment=deployment,
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
        replicas=Replicas(database, settings.relay_url),
        provisioner_daemons=ProvisionerDaemons(database, sessions, entitlements, jobs, settings.provisioner_daemon_psk),
        provisioner_keys=ProvisionerKeys(database, entitlements),
        provisioner_jobs=jobs,
        files=Files(database),
        template_versions=TemplateVersions(database, jobs),
        workspaces=Workspaces(database, jobs),
        workspace_builds=WorkspaceBuilds(database, jobs),
        workspace_quotas=WorkspaceQuotas(database, entitlements),
    )


class _Worker(Protocol):
    async def run(self) -> None:
        """Until it is cancelled."""


def _workers(settings: Settings, database: Database, services: Services, probes: Probes) -> Iterator[_Worker]:
    yield EntitlementsWorker(services.entitlements)
    yield ProxyHealthLoop(database, services.proxies.health, probes, settings.proxy_health_interval)
    yield ReplicaSync(services.replicas, probes, services.entitlements.count_replicas)
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


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"CODER_HTTP_ADDRESS: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None
    return listener


def _url(settings: Settings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


async def _open(settings: Settings) -> Database:
    if settings.pg_connection_url:
        return await open_postgresql_database(settings.pg_connection_url)
    return open_database(settings.sqlite_path)


class _Server(uvicorn.Server):
    """Says when it listens, and ends with 0 when it is asked to end."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"listening on {self._url}", flush=True)

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
