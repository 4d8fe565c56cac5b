"""Websockets on which somebody follows the lines of a job: one JSON object a message, and a normal close at its end.

Routes bring the lines of `services.provisioning.job_logs`. What the client sends is not read for its meaning; who goes
away is noticed.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Query, WebSocket
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from coder_enterprise.server.errors import Forbidden, UpgradeRequired
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.routes.answers import http_of
from coder_enterprise.server.routes.dependencies import Caller
from coder_enterprise.server.services.provisioning.job_logs import Span
from coder_enterprise.server.tasks import until_first
from coder_enterprise.wire.provisioner_jobs import LOG, ProvisionerJobLog

NORMAL: Final = 1000
POLICY_VIOLATION: Final = 1008
TRY_AGAIN_LATER: Final = 1013
MAX_ID: Final = 2**31 - 1
_MAX_REASON: Final = 123
"""Bytes of a close frame, less its code."""

Lines = AsyncGenerator[list[ProvisionerJobLog], None]


async def _span(
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="The id of the last line that is known")] = 0,
    before: Annotated[int | None, Query(ge=0, le=MAX_ID, description="The id of the first line too many")] = None,
) -> Span:
    return Span(after, before)


async def _require_upgrade(
    follow: Annotated[str | None, Query(description="With a websocket: also the lines that come")] = None,
) -> None:
    """For the plain route. Raises `UpgradeRequired` for what it would have to leave out."""
    if follow is not None:
        raise UpgradeRequired("Logs are followed through a websocket.", "Ask for an upgrade of the connection.")


LogSpan = Annotated[Span, Depends(_span)]
NOT_FOLLOWED: Final = Depends(_require_upgrade)


def require_own_origin(connection: HTTPConnection) -> None:
    """A browser says which site it acts for; a program does not. Raises `Forbidden`."""
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower():
        raise Forbidden("A page of another site may not open this websocket.", f"Its origin is {origin!r}.")


async def send_lines(websocket: WebSocket, caller: Caller, lines: Lines) -> None:
    """Until the job has ended, or the client has left. Raises before anything is accepted what `lines` does first."""
    require_own_origin(websocket)
    async with contextlib.aclosing(lines):
        first = await anext(lines)
        await websocket.accept()

        async def send() -> None:
            await _send(websocket, caller, first)
            async for more in lines:
                await _send(websocket, caller, more)

        outcomes = await until_first(send(), _until_left(websocket))
    await _close(websocket, outcomes[0])


async def _send(websocket: WebSocket, caller: Caller, lines: Sequence[ProvisionerJobLog]) -> None:
    for line in lines:
        await websocket.send_text(LOG.render(caller.services.profile, line)[1].decode())


async def _until_left(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(websocket: WebSocket, outcome: Any) -> None:
    """Says why the lines end. Raises what is a fault of the server."""
    code, reason = NORMAL, ""
    if isinstance(outcome, Refused):
        is_final = http_of(outcome).status in (401, 404)
        code, reason = POLICY_VIOLATION if is_final else TRY_AGAIN_LATER, outcome.message[:_MAX_REASON]
    elif isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
        raise outcome
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the client was first
        await websocket.close(code, reason)
