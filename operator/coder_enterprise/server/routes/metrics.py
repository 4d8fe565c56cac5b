"""What the server counts about its requests, as Prometheus metrics at /metrics, under the names that Coder uses."""

from __future__ import annotations

import time
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

router = APIRouter(tags=["General"])

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
        self.concurrent = Gauge("coderd_api_concurrent_requests", "Requests in work.", registry=self.registry)


class CountRequests:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

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

        with self._metrics.concurrent.track_inprogress():
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
                self._metrics.processed.labels(str(status), scope["method"], route).inc()
                self._metrics.latencies.labels(scope["method"], route).observe(time.perf_counter() - started)


@router.get("/metrics", response_class=PlainTextResponse)
async def get_metrics(request: Request) -> Response:
    metrics: RequestMetrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
