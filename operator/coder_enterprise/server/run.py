"""The server as a process: opens the database, listens, and ends in good order. Called by the command line."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from typing import Protocol

import structlog

from coder_enterprise.process import garbage
from coder_enterprise.process.addresses import url_of
from coder_enterprise.server.probes import Probes
from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.routes.metrics import MetricsPage
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.development_license import development_keys
from coder_enterprise.server.services.git_ssh_keys import sealing
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.serving import Server, scheme_of, serving_aside
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.open import open_database, open_postgresql_database
from coder_enterprise.server.tls import ServerCertificate
from coder_enterprise.server.workers.entitlements import EntitlementsWorker
from coder_enterprise.server.workers.provisioners import ProvisionerCleaner
from coder_enterprise.server.workers.proxies import ProxyHealthLoop
from coder_enterprise.server.workers.replicas import ReplicaSync
from coder_enterprise.server.workers.retention import RetentionWorker
from coder_enterprise.server.workers.variables import VariablesWorker

log = structlog.get_logger(__name__)


async def serve(settings: Settings, listener: socket.socket, metrics: socket.socket | None = None) -> None:
    """Until SIGTERM or SIGINT; without a socket for them there are no metrics. Raises `SettingsError` and
    `StorageError` before anything is served."""
    token = settings.bootstrap_token()
    certificate = ServerCertificate(settings.tls) if settings.tls else None
    database = await _open(settings)
    try:
        deployment_id = await bootstrap(database, settings.first_user, token)
        url = settings.access_url or url_of(listener, scheme_of(certificate))
        deployment = Deployment(url, deployment_id, settings.version)
        wanted = settings.development_license and settings.license_keys_file is None
        own_keys = await development_keys(database, deployment_id, wanted=wanted)
        services = Services(Context(settings, database, deployment, own_keys))
        await services.entitlements.refresh()
        app = create_app(services, settings.rate_limit, settings.trusted_headers, settings.trusted_origins)
        server = Server(app, services.readiness, settings.shutdown_delay, certificate)
        aside = serving_aside(MetricsPage(app.state.metrics, services.metrics), metrics) if metrics else nullcontext()
        garbage.settle()
        async with aside, Probes() as probes, _in_background(*_workers(settings, database, services, probes)):
            await server.serve(sockets=[listener])
    finally:
        await database.close()


class _Worker(Protocol):
    async def run(self) -> None:
        """Until it is cancelled."""


def _workers(settings: Settings, database: Database, services: Services, probes: Probes) -> Iterator[_Worker]:
    yield EntitlementsWorker(services.entitlements)
    yield ProxyHealthLoop(database, services.proxies.health, probes, settings.proxy_health_interval)
    yield ReplicaSync(services.replicas, probes, services.entitlements.count_replicas)
    yield RetentionWorker(services.retention)
    yield VariablesWorker(database, Variables(settings.encryption_keys), sealing(settings.encryption_keys))
    yield ProvisionerCleaner(services.job_course, services.provisioner_daemons)


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
