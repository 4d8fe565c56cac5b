"""The module of the client that sends: one request, and its limits.

Used by `client.coder`. Owns the connection pool of one deployment. It does not know what a group is, and it
does not decide when to try again; which proxy to use, `client.proxies` decides, whom to trust, `client.tls`, and what
an error means, `client.failures`.
aiohttp repeats a GET or a DELETE, once, whose kept-alive connection turned out to be closed, as RFC 9110 (9.2.2)
allows; a POST or a PATCH is never sent twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, ClassVar, Final, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import yarl
from pydantic import BaseModel, TypeAdapter

from coder_enterprise import __version__
from coder_enterprise.client import addresses, errors, proxies, tls
from coder_enterprise.client.bodies import (
    BUDGET,
    MAX_ANSWER,
    MAX_ERROR,
    NoRoom,
    Reader,
    Share,
    TooLarge,
    collect,
    read,
)
from coder_enterprise.client.failures import CONNECT_TIMEOUT, OF_SPEC, READ_TIMEOUT, Answer, Called, Failures
from coder_enterprise.client.sending import Connector, Request, looking

API: Final = "/api/v2"
PROGRAM: Final = "coder-enterprise"
"""How requests name who sends them."""
MAX_CONNECTIONS: Final = 32
TOTAL_TIMEOUT: Final = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What it takes to reach one Coder server."""

    url: str
    """Base URL without the API path, such as https://coder.example.com."""
    token: str = field(repr=False)
    ca_bundle: str = field(default="", repr=False)
    """PEM certificates that are trusted in place of the system's; "" means the system's."""
    scim_key: str = field(default="", repr=False)
    """What opens SCIM; "" when it is not to be used."""
    called: Called = OF_SPEC
    anywhere: bool = False
    """Also at a link-local address, which is refused otherwise."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as hooks see it."""

    operation: str
    """Resource and verb, such as `groups.create`: a metrics label."""
    method: str
    path: str

    @property
    def writes(self) -> bool:
        return self.method not in {"GET", "HEAD"}


class CallHooks(Protocol):
    """Runs before and after each request: fencing, rate limit, metrics, and the tests' injected faults."""

    async def before(self, call: Call) -> None: ...

    def sending(self, call: Call) -> None:
        """It has a connection, for which it may have waited; each time that it is sent. What this raises stops it."""
        return

    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        """`seconds` is how long it took, from the end of `before` to the answer."""


class Transport:
    """Sends requests to one Coder server and returns checked JSON.

    Raises only `errors.CoderError` (and what the hooks raise). The session token goes into the header that
    Coder reads, never into a URL, and is removed from every message.
    """

    root: ClassVar[str] = API
    failures: ClassVar[type[Failures]] = Failures

    def __init__(self, settings: ConnectionSettings, hooks: CallHooks | None = None) -> None:
        self.settings = settings
        self._hooks = hooks
        proxy = _proxy_for(settings)
        self._failures = self.failures(settings.url, (settings.token, settings.scim_key), proxy, settings.called)
        # True is aiohttp's word for its own context, which http does not need; False would accept any certificate.
        context = tls.context(settings.ca_bundle) if urlsplit(settings.url).scheme == "https" else True
        self._base = settings.url.rstrip("/") + self.root
        self._http = aiohttp.ClientSession(
            request_class=Request,
            headers={
                **self._credentials(),
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"{PROGRAM}/{__version__}",
            },
            connector=Connector(
                limit=MAX_CONNECTIONS,
                ssl=context,
                socket_factory=addresses.any_socket if settings.anywhere else addresses.guarded_socket,
            ),
            timeout=aiohttp.ClientTimeout(TOTAL_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy.url if proxy else None,
            auto_decompress=False,
        )

    async def close(self) -> None:
        await self._http.close()

    def _credentials(self) -> dict[str, str]:
        return {"Coder-Session-Token": self.settings.token}

    async def get(self, operation: str, path: str, model: type[T] | Reader[T], **query: str | int) -> T:
        """GET `path` below the API root and read the answer as `model`."""
        reader: Reader[T] = _adapter(model)  # type: ignore[arg-type]
        limit = getattr(reader, "limit", MAX_ANSWER)
        return await self._request(Call(operation, "GET", path), partial(self._read, reader), query=query, limit=limit)

    async def send(
        self, operation: str, method: str, path: str, body: BaseModel | None, model: type[T] | Reader[T]
    ) -> T:
        """Send `body` without its unset fields and read the answer as `model`."""
        return await self._request(Call(operation, method, path), partial(self._read, model), body=body)

    async def send_and_see(
        self, operation: str, method: str, path: str, body: BaseModel, model: type[T] | Reader[T], header: str
    ) -> tuple[T, str]:
        """As `send`; and that header of the answer, "" when it has none."""

        async def read(answer: Answer) -> tuple[T, str]:
            return await self._read(model, answer), answer.headers.get(header, "")

        return await self._request(Call(operation, method, path), read, body=body)

    async def delete(self, operation: str, path: str, *, is_gone: Callable[[], Awaitable[bool]] | None = None) -> None:
        """DELETE `path`; raises `errors.NotFound` when it is gone already.

        `is_gone` looks, where Coder says nothing of a deletion: so may whatever stands in between.
        """
        answer, told = await self._request(Call(operation, "DELETE", path), self._no_more)
        if not told and not (is_gone and await is_gone()):
            raise self._failures.not_deleted(answer)

    async def _request(
        self,
        call: Call,
        read: Callable[[Answer], Awaitable[T]],
        *,
        query: Mapping[str, str | int] | None = None,
        body: BaseModel | None = None,
        limit: int = MAX_ANSWER,
    ) -> T:
        if self._hooks:
            await self._hooks.before(call)
        started = time.monotonic()
        try:
            with BUDGET.share() as share, self._last_look(call):
                answer = await self._exchange(call, query, body, partial(self._body, call, limit, share))
                self._failures.raise_for_status(answer)
                result = await read(answer)
        except errors.CoderError as error:
            if self._hooks:
                await self._hooks.after(call, error, time.monotonic() - started)
            raise
        if self._hooks:
            await self._hooks.after(call, None, time.monotonic() - started)
        return result

    def _last_look(self, call: Call) -> AbstractContextManager[None]:
        return looking(partial(self._hooks.sending, call)) if self._hooks else nullcontext()

    async def _exchange(
        self,
        call: Call,
        query: Mapping[str, str | int] | None,
        body: BaseModel | None,
        collect: Callable[[aiohttp.ClientResponse], Awaitable[bytearray]],
    ) -> Answer:
        content = body.model_dump_json(exclude_unset=True).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else None
        target = f"{self._base}{call.path}" + (f"?{urlencode(query)}" if query else "")
        try:
            # The path is quoted already: quoted once more, a name could become another.
            url = yarl.URL(target, encoded=True)
            async with self._http.request(
                call.method, url, data=content, headers=headers, allow_redirects=False
            ) as response:
                return Answer(
                    call.method,
                    self.root + call.path,
                    response.status,
                    response.reason or "",
                    response.headers,
                    await collect(response),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failures.unreachable(error) from None
        except RuntimeError as error:
            # aiohttp's word for a session that was closed: the token or the address was replaced meanwhile.
            if not self._http.closed:
                raise
            raise errors.Unreachable(f"the connection to {self.settings.url} was replaced") from error

    async def _body(self, call: Call, limit: int, share: Share, response: aiohttp.ClientResponse) -> bytearray:
        if response.status >= 300:
            limit = MAX_ERROR
        encoding = response.headers.get("Content-Encoding", "")
        try:
            return await collect(response.content.iter_any(), encoding, limit, share)
        except TooLarge as error:
            if response.status >= 300:
                return bytearray()  # the status tells enough
            raise self._failures.too_large(call.method, self.root + call.path, error) from None
        except NoRoom:
            raise errors.Crowded(
                f"{call.method} {self.root}{call.path} has a large answer, and as many as there is memory for are "
                "being read; it is tried again"
            ) from None

    async def _read(self, model: type[T] | Reader[T], answer: Answer) -> T:
        reader: Reader[T] = _adapter(model)  # type: ignore[arg-type]
        try:
            return await read(reader, answer.body)
        except TooLarge as error:
            raise self._failures.too_large(answer.method, answer.path, error) from None
        except (ValueError, RecursionError) as error:
            raise self._failures.misread(answer, error) from None

    async def _no_more(self, answer: Answer) -> tuple[Answer, bool]:
        """Whether it tells of the deletion. Coder does with a message, or shows what it has deleted; anything else may
        come from a proxy or a login page, which have deleted nothing."""
        if not answer.body.strip():
            return answer, False
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise self._failures.misread(answer, error) from None
        if not _tells_of_deletion(said, answer.path):
            raise self._failures.not_deleted(answer)
        return answer, True


def _tells_of_deletion(said: Any, path: str) -> bool:
    if not isinstance(said, dict):
        return False
    shown = quote(str(said.get("id")), safe="")
    message = said.get("message")
    return (isinstance(message, str) and message != "") or shown.lower() == path.rpartition("/")[2].lower()


def _proxy_for(settings: ConnectionSettings) -> proxies.Proxy | None:
    try:
        return proxies.proxy_for(settings.url)
    except proxies.ProxyUnusable as error:
        raise errors.Unreachable(str(error)) from None
    except ValueError as error:
        raise errors.Unreachable(f"{settings.url} is no URL: {error}; check {settings.called.url}") from None


@cache
def _adapter(model: Any) -> Reader[Any]:
    return TypeAdapter(model) if isinstance(model, type) else model
