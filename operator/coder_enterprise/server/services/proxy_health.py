"""How the workspace proxies are, as this server found them: in memory, never in the database.

Written by `workers.proxies`, read by `services.proxies`. The rules are Coder's own: an answer of 200 without errors
is `ok`, any other is `unhealthy`, none is `unreachable`, and a proxy that never registered is `unregistered`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from coder_enterprise.server.storage.notifications import Notifications
from coder_enterprise.server.storage.proxies import Proxy
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.proxies import Health, ProxyHealthReport, SDKWorkspaceProxyStatus

CHANNEL: Final = "workspace_proxies"
REPORT_PATH: Final = "/healthz-report"
MAX_QUOTED: Final = 500
"""Characters of an answer that is no report."""


class ProxyHealth:
    """What was found, and which proxies are to be looked at before their turn."""

    def __init__(self, notifications: Notifications) -> None:
        self._found: dict[UUID, SDKWorkspaceProxyStatus] = {}
        self._due: set[UUID] = set()
        self._asked = asyncio.Event()
        self._notifications = notifications
        notifications.subscribe(CHANNEL, self._told)

    def of(self, proxy: Proxy) -> SDKWorkspaceProxyStatus:
        """`unknown` for one that is deleted, or was not looked at yet."""
        found = self._found.get(proxy.id)
        if proxy.deleted:
            return finding("unknown", NEVER)
        return found or finding("unknown" if proxy.url else "unregistered", NEVER)

    def note(self, proxy_id: UUID, found: SDKWorkspaceProxyStatus) -> None:
        self._found[proxy_id] = found

    def keep_only(self, proxy_ids: Iterable[UUID]) -> None:
        """Forget all others."""
        present = set(proxy_ids)
        self._found = {key: found for key, found in self._found.items() if key in present}

    async def check_soon(self, proxy_id: UUID) -> None:
        """It has changed, or registered: all replicas of the server look at it."""
        await self._notifications.publish(CHANNEL, str(proxy_id))

    async def due(self, timeout: float) -> set[UUID]:
        """Those that are to be looked at now; empty when nobody asked for `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._asked.wait()
        except TimeoutError:
            return set()
        due, self._due = self._due, set()
        self._asked.clear()
        return due

    def _told(self, message: str | None) -> None:
        self._due |= {UUID(message)} if message else set(self._found)
        self._asked.set()


class _Report(WireModel):
    errors: list[str] | None = None
    warnings: list[str] | None = None


def finding(
    status: Health, moment: datetime, errors: Sequence[str] = (), warnings: Sequence[str] = ()
) -> SDKWorkspaceProxyStatus:
    report = ProxyHealthReport(errors=list(errors), warnings=list(warnings))
    return SDKWorkspaceProxyStatus(status=status, report=report, checked_at=moment)


def unreachable(url: str, cause: str, moment: datetime) -> SDKWorkspaceProxyStatus:
    return finding("unreachable", moment, [f"{url} cannot be reached: {cause}"])


def judged(url: str, status: int, body: bytes, moment: datetime) -> SDKWorkspaceProxyStatus:
    """What an answer to GET `url` means."""
    if status != 200:
        return finding("unhealthy", moment, [f"{url} answered {status} instead of 200.\n{_quoted(body)}".rstrip()])
    try:
        report = _Report.model_validate_json(body, strict=True)
    except ValidationError:
        return finding(
            "unhealthy", moment, [f"{url} answered 200 without a health report; is a workspace proxy listening there?"]
        )
    return finding("unhealthy" if report.errors else "ok", moment, report.errors or (), report.warnings or ())


def _quoted(body: bytes) -> str:
    """The message of an envelope, or the start of anything else."""
    text = body.decode(errors="replace")
    try:
        envelope: Any = json.loads(text)
    except (ValueError, RecursionError):
        envelope = None
    if isinstance(envelope, dict) and isinstance(envelope.get("message"), str):
        detail = envelope.get("detail")
        text = f"{envelope['message']}: {detail}" if isinstance(detail, str) and detail else envelope["message"]
    return text.strip()[:MAX_QUOTED]
