"""What the server counts about its requests, under the names that Coder uses, and /metrics, where Prometheus asks.

`services.metrics` has what is told of the service itself.
"""

from __future__ import annotations

import functools
import time
from typing import Final

from fastapi import Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coder_enterprise.server.services.metrics import ServiceMetrics

UNKNOWN_ROUTE: Final = "none"
"""In place of paths that no route has: else everybody could make new labels."""


class RequestMetrics:
    """Counts one application's requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.processed = Counter(
            "coderd_api_requests_processed",
            "Requests by status, method and route.",
            ("code", "method", "path"),
            registry=self.registry,
        )
        self.latencies = Histogram(
            "coderd_api_request_latencies_seconds",
            "Duration of requests by method and route.",
            ("method", "path"),
            registry=self.registry,
        )
        self.in_work = 0
        self.concurrent = Gauge("coderd_api_concurrent_requests", "Requests in work.", registry=self.registry)
        self.concurrent.set_function(lambda: self.in_work)


class CountRequests:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._counts = functools.cache(metrics.processed.labels)
        self._seconds = functools.cache(metrics.latencies.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_work += 1
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._metrics.in_work -= 1
            route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
            self._counts(str(status), scope["method"], route).inc()
            self._seconds(scope["method"], route).observe(time.perf_counter() - started)


class MetricsPage:
    """The ASGI application at the address of the metrics, which is not that of the API: it asks nobody who they are."""

    def __init__(self, requests: RequestMetrics, services: ServiceMetrics) -> None:
        self._requests = requests
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: Response = PlainTextResponse("Not Found. See /metrics.", status_code=404)
        if scope["type"] == "http" and scope["path"] == "/metrics":
            await self._services.refresh()
            answer = Response(generate_latest(self._requests.registry), media_type=CONTENT_TYPE_LATEST)
        await answer(scope, receive, send)
