"""What Prometheus is told of the service itself; `routes.metrics` has what is counted of its requests.

A collector of `prometheus_client`: it tells of the last look at the database, which is taken again when somebody asks
and it is older than `FRESH_FOR`. So it costs nothing while nobody asks, and little however many do.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.provisioning.job_views import OFFLINE_AFTER
from coder_enterprise.server.services.proxy_health import ProxyHealth
from coder_enterprise.server.storage import figures
from coder_enterprise.server.storage.failures import Failure
from coder_enterprise.server.storage.figures import Figures
from coder_enterprise.server.storage.measured import MeasuredDatabase

FRESH_FOR: Final = timedelta(seconds=15)
DEADLINE: Final = 2.0
"""Seconds that the database has to answer, or its figures are absent."""
DAY: Final = timedelta(days=1)
OWN: Final = "coder_enterprise_server"


class ServiceMetrics(Collector):
    def __init__(self, database: MeasuredDatabase, entitlements: Entitlements, health: ProxyHealth) -> None:
        self._database = database
        self._entitlements = entitlements
        self._health = health
        self._looking = asyncio.Lock()
        self._looked_at: datetime | None = None
        self._figures: Figures | None = None

    async def refresh(self) -> None:
        """Never fails: of a database that does not answer, what is known without it is told all the same."""
        async with self._looking:
            moment = now()
            if self._looked_at is not None and abs(moment - self._looked_at) < FRESH_FOR:
                return
            try:
                async with asyncio.timeout(DEADLINE):
                    self._figures = await self._database.read(
                        lambda connection: figures.look(connection, moment - OFFLINE_AFTER)
                    )
            except (Failure, TimeoutError):
                self._figures = None
            self._looked_at = moment

    def describe(self) -> Iterator[Metric]:
        """Nothing is collected to learn the names."""
        return iter(())

    @override
    def collect(self) -> Iterator[Metric]:
        yield from self._database.waiting.collect()
        yield from self._database.seconds.collect()
        yield from self._licences()
        if self._figures is not None:
            yield from self._looked(self._figures)

    def _licences(self) -> Iterator[Metric]:
        until, limit = self._entitlements.paid_until, self._entitlements.current.features[Feature.USER_LIMIT].limit
        days = None if until is None else max(until - now(), timedelta()) / DAY
        yield _gauge(
            f"{OWN}_license_days_left", "Days until the first of what licences give enters its grace period.", days
        )
        yield _gauge("coderd_license_limit_users", "Active users that licences allow.", limit)

    def _looked(self, found: Figures) -> Iterator[Metric]:
        yield _gauge("coderd_license_active_users", "Active users.", found.active_users)
        proxies = GaugeMetricFamily(f"{OWN}_workspace_proxies", "Workspace proxies by their health.", labels=["status"])
        for status, count in Counter(self._health.of(proxy).status for proxy in found.proxies).items():
            proxies.add_metric([status], count)
        yield proxies
        yield _gauge(f"{OWN}_provisioner_daemons", "Provisioner daemons that were seen of late.", found.daemons)
        jobs = GaugeMetricFamily(f"{OWN}_provisioner_jobs", "Jobs of provisioner daemons.", labels=["status"])
        jobs.add_metric(["pending"], found.pending_jobs)
        jobs.add_metric(["running"], found.running_jobs)
        yield jobs
        oldest = now() - found.oldest_pending_job if found.oldest_pending_job else timedelta()
        yield _gauge(
            f"{OWN}_provisioner_job_oldest_seconds", "Since the oldest pending job was made.", oldest.total_seconds()
        )


def _gauge(name: str, meaning: str, value: float | None) -> Metric:
    """Without a sample where there is no value."""
    return GaugeMetricFamily(name, meaning, value=value)
