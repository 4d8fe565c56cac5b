"""/organizations/{organization}/provisionerdaemons: the list, and the websocket that a daemon serves on.

The websocket carries bytes; what they mean is the service's.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response, WebSocket
from starlette.requests import HTTPConnection

from coder_enterprise.server.errors import UpgradeRequired, bad_query
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.routes.answers import documented, refusal
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public, session_token
from coder_enterprise.server.routes.following import require_own_origin
from coder_enterprise.server.routes.openapi import (
    BEARER,
    DAEMON_KEY,
    DAEMON_PSK,
    SESSION_COOKIE,
    SESSION_HEADER,
    any_of,
)
from coder_enterprise.server.routes.provisioning.filters import Ids, Limit, Statuses, Tags, ids, known, several, tags
from coder_enterprise.server.rpc.session import Receive
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.provisioning.admission import Credentials, Introduction
from coder_enterprise.server.services.provisioning.provisioner_daemons import Which
from coder_enterprise.server.services.provisioning.serving import Serving
from coder_enterprise.server.settings import SettingsError, parse_delay
from coder_enterprise.wire.provisioner_daemons import DAEMONS

router = APIRouter(prefix=API, tags=["Enterprise"])


async def _require_feature(services: Public) -> None:
    """As in Coder, this comes before who asks. Raises `Forbidden`."""
    services.provisioner_daemons.require_feature()


LICENSED: Final = Depends(_require_feature)
PATH: Final = "/organizations/{organization}/provisionerdaemons"


async def _which(
    request: Request,
    wanted: Ids,
    status: Statuses,
    limit: Limit = 50,
    offline: Annotated[bool, Query(description="Also those that are not connected")] = False,
    with_tags: Tags = "",
    max_age: Annotated[str, Query(description="That they were seen within, such as 1h30m")] = "",
) -> Which:
    """Raises `BadRequest`."""
    known(request, "limit", "offline", "status", "ids", "tags", "max_age")
    return Which(limit or None, offline, several(status), ids(wanted), tags(with_tags), _age(max_age))


def _age(text: str) -> timedelta | None:
    try:
        return timedelta(seconds=parse_delay("max_age", text)) or None if text else None
    except (SettingsError, OverflowError):
        raise bad_query(max_age="must be a duration such as 1h30m") from None


@router.get(PATH, **documented(DAEMONS), dependencies=[LICENSED], summary="Get provisioner daemons")
async def list_daemons(organization: str, caller: Authenticated, which: Annotated[Which, Depends(_which)]) -> Response:
    found = await caller.services.provisioner_daemons.list(caller.actor, organization, which)
    return await caller.answer_list(DAEMONS, found)


@router.get(
    f"{PATH}/serve",
    summary="Serve provisioner daemon",
    response_class=Response,
    status_code=101,
    response_description="Switching Protocols",
    responses={426: {}},
    openapi_extra={"security": any_of(SESSION_HEADER, SESSION_COOKIE, BEARER, DAEMON_KEY, DAEMON_PSK)},
)
async def refuse_without_upgrade(organization: str, request: Request, services: Public) -> Response:
    await _admit(services, organization, request)
    raise UpgradeRequired("This route is a websocket.", "Ask for an upgrade of the connection.")


@router.websocket(f"{PATH}/serve")
async def serve(organization: str, websocket: WebSocket) -> None:
    services: Services = websocket.app.state.services
    sessions = services.daemon_sessions
    with contextlib.ExitStack() as place:
        try:
            serving = await _admit(services, organization, websocket)
            require_own_origin(websocket)
            place.enter_context(sessions.place_of(serving))
            serving = await sessions.register(serving)
        except Refused as error:
            return await websocket.send_denial_response(refusal(error))
        await websocket.accept()
        try:
            await sessions.serve(serving, _receiver(websocket), websocket.send_bytes)
        finally:
            with contextlib.suppress(Exception):  # the daemon may have closed it, in any of the ways there are
                await websocket.close()


async def _admit(services: Services, organization: str, connection: HTTPConnection) -> Serving:
    query, headers = connection.query_params, connection.headers
    asked = Introduction(
        provisioners=query.getlist("provisioner"),
        tags=query.getlist("tag"),
        id=query.get("id", ""),
        name=query.get("name", ""),
        api_version=query.get("version", ""),
        version=headers.get("x-coder-build-version", ""),
    )
    credentials = Credentials(
        session=session_token(connection),
        psk=headers.get("coder-provisioner-daemon-psk", ""),
        key=headers.get("coder-provisioner-daemon-key", ""),
    )
    return await services.daemon_admission.admit(organization, asked, credentials)


def _receiver(websocket: WebSocket) -> Receive:
    async def receive() -> bytes:
        """The next bytes, b"" when there are no more."""
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return b""
            data: bytes | None = message.get("bytes")
            if data is None:
                raise ValueError("a text message, where only binary ones are spoken")
            if data:
                return data

    return receive
