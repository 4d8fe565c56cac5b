"""/organizations/{organization}/provisionerdaemons: the list, and the websocket that a daemon serves on.

The websocket carries bytes; what they mean is the service's.
"""

from __future__ import annotations

import contextlib
from typing import Final

from fastapi import APIRouter, Depends, Request, Response, WebSocket
from starlette.requests import HTTPConnection

from coder_enterprise.server.errors import RequestError, UpgradeRequired
from coder_enterprise.server.routes.answers import documented, refusal
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public, Services, session_token
from coder_enterprise.server.routes.following import require_own_origin
from coder_enterprise.server.routes.openapi import (
    BEARER,
    DAEMON_KEY,
    DAEMON_PSK,
    SESSION_COOKIE,
    SESSION_HEADER,
    any_of,
)
from coder_enterprise.server.services.provisioner_daemons import Credentials, Query
from coder_enterprise.server.services.provisioner_jobs import Serving
from coder_enterprise.wire.provisioner_daemons import DAEMONS
from coder_enterprise.wire.provisioning.session import Receive

router = APIRouter(prefix=API, tags=["Enterprise"])


async def _require_feature(services: Public) -> None:
    """As in Coder, this comes before who asks. Raises `Forbidden`."""
    services.provisioner_daemons.require_feature()


LICENSED: Final = Depends(_require_feature)
PATH: Final = "/organizations/{organization}/provisionerdaemons"


@router.get(PATH, **documented(DAEMONS), dependencies=[LICENSED], summary="Get provisioner daemons")
async def list_daemons(organization: str, caller: Authenticated) -> Response:
    found = await caller.services.provisioner_daemons.list(caller.actor, organization)
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
    daemons = services.provisioner_daemons
    with contextlib.ExitStack() as place:
        try:
            serving = await _admit(services, organization, websocket)
            require_own_origin(websocket)
            place.enter_context(daemons.place_of(serving))
            serving = await daemons.register(serving)
        except RequestError as error:
            return await websocket.send_denial_response(refusal(error))
        await websocket.accept()
        try:
            await daemons.serve(serving, _receiver(websocket), websocket.send_bytes)
        finally:
            with contextlib.suppress(Exception):  # the daemon may have closed it, in any of the ways there are
                await websocket.close()


async def _admit(services: Services, organization: str, connection: HTTPConnection) -> Serving:
    query, headers = connection.query_params, connection.headers
    asked = Query(
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
    return await services.provisioner_daemons.admit(organization, asked, credentials)


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
