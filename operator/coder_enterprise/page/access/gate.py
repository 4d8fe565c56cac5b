"""Who sends a request, by what it brings along: decided here for each request, before a handler sees it.

Made once for the page. The middlewares ask it; the pages for signing in and out use its sessions.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import hdrs, web

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller.view import View
from coder_enterprise.page.access.authority import Authority
from coder_enterprise.page.access.identity import LOCAL, Identity
from coder_enterprise.page.access.limits import Attempts, Streams
from coder_enterprise.page.access.modes import Mode
from coder_enterprise.page.access.namespaces import Namespaces
from coder_enterprise.page.access.proxies import TrustedProxies
from coder_enterprise.page.access.reviews import Rights, Viewer
from coder_enterprise.page.access.sessions import Session, Sessions
from coder_enterprise.page.settings import PageSettings

COOKIE: Final = "coder-page"
HOST_COOKIE: Final = "__Host-coder-page"
"""Under HTTPS: a browser takes it from this very host alone, and from no neighbour that shares its domain."""
PROXIED: Final = 300.0
"""Seconds that a stream goes on through a proxy: then the browser comes anew, and the proxy says who it is."""
SWEEP: Final = 10.0
"""Seconds until tokens are forgotten that nobody needs any more."""
PROGRAM: Final = "coder-enterprise-page"
_SCHEME: Final = "bearer "


class Gate:
    """Close it."""

    def __init__(self, settings: PageSettings, client: KubernetesClient, view: View) -> None:
        self.mode = settings.mode
        self.sessions = Sessions()
        self.attempts = Attempts()
        self.streams = Streams()
        self.authority = Authority(client)
        self._client = client
        self._rights = Rights(self.authority, Namespaces(view))
        self._proxies = TrustedProxies(settings.proxies, by_certificate=settings.proxy_certificates)
        self._secret = secrets.token_bytes(32)

    async def close(self) -> None:
        await self.authority.close()

    async def sweep(self) -> None:
        """For ever: forget tokens of which Kubernetes would have to be asked anew, and of sessions that are over."""
        while True:
            await asyncio.sleep(SWEEP)
            self.authority.forget_old()
            self.sessions.forget_over()

    async def viewer(self, request: web.Request) -> Viewer | None:
        """None for whom nobody knows. Raises `NotBelieved`, `TooMany` and `KubernetesError`."""
        match self.mode:
            case Mode.LOCAL:
                return Viewer(LOCAL)
            case Mode.PROXY:
                return await self._proxied(request)
            case Mode.KUBERNETES:
                token = bearer(request)
                return await (self._with_session(request) if token is None else self._with_token(request, token))

    async def whose(self, token: str, address: str) -> Identity | None:
        """Whoever tries tokens that are none is made to wait. Raises `TooMany` and `KubernetesError`."""
        self.attempts.check(address)
        identity = await self.authority.whose(token)
        if identity is None:
            self.attempts.failed(address)
        return identity

    def session(self, request: web.Request) -> Session | None:
        """That of the request's cookie."""
        name = cookie(request)
        return self.sessions.find(name) if name else None

    def sign_out(self, request: web.Request) -> None:
        """The session and its token are forgotten."""
        session = self.session(request)
        if session is not None:
            self.authority.forget(session.token)
        self.sessions.end(cookie(request))

    async def _with_token(self, request: web.Request, token: str) -> Viewer | None:
        identity = await self.whose(token, address_of(request))
        return self._known(identity, token, "", lambda: True) if identity else None

    async def _with_session(self, request: web.Request) -> Viewer | None:
        name, session = cookie(request), self.session(request)
        if session is None:
            return None
        identity = await self.authority.whose(session.token)
        if identity is None:
            self.sessions.end(name)
            return None
        return self._known(identity, session.token, session.csrf, lambda: self.sessions.find(name) is not None)

    def _known(self, identity: Identity, token: str, csrf: str, has_session: Callable[[], bool]) -> Viewer:
        async def still() -> bool:
            return has_session() and await self.authority.whose(token) == identity

        client = partial(self._client.with_token, token, PROGRAM)
        return Viewer(identity, self._rights, csrf, bool(csrf), still, client)

    async def _proxied(self, request: web.Request) -> Viewer | None:
        """With a token that the proxy passes on, and that is of the same person, they may act, too."""
        identity = self._proxies.named(request)
        if identity is None:
            return None
        csrf = hmac.new(self._secret, identity.user.encode(), hashlib.sha256).hexdigest()
        token = bearer(request) or ""
        owner = await self.authority.whose(token) if token else None
        own = owner is not None and owner.user == identity.user
        client = partial(self._client.with_token, token, PROGRAM) if own else None
        begun = time.monotonic()

        async def still() -> bool:
            return time.monotonic() - begun < PROXIED

        return Viewer(identity, self._rights, csrf, still=still, client=client)


def bearer(request: web.Request) -> str | None:
    """The token in the header Authorization; None without such a header, and "" for what is no bearer token."""
    values = request.headers.getall(hdrs.AUTHORIZATION, [])
    if not values:
        return None
    is_one = len(values) == 1 and values[0].lower().startswith(_SCHEME)
    return values[0][len(_SCHEME) :].strip() if is_one else ""


def cookie(request: web.Request) -> str:
    """The name of a session; "" without one. A session that began under HTTPS is none in the other cookie, which a
    neighbour can set."""
    values = ((name, request.cookies.get(name, "")) for name in (HOST_COOKIE, COOKIE))
    return next((value for name, value in values if value.startswith(f"{name}.")), "")


def address_of(request: web.Request) -> str:
    return request.remote or ""


GATE: Final = web.AppKey("gate", Gate)
