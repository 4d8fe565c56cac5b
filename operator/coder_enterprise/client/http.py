"""The module of the client that sends: one request, its limits, and its errors.

Used by `client.coder`. Owns the connection pool of one deployment. It does not know what a group is, and it
does not decide when to try again; which proxy to use, `client.proxies` decides, and whom to trust, `client.tls`.
aiohttp repeats a GET or a DELETE, once, whose kept-alive connection turned out to be closed, as RFC 9110 (9.2.2)
allows; a POST or a PATCH is never sent twice.
"""

from __future__ import annotations

import json
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache, partial
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
import yarl
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import override

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

API: Final = "/api/v2"
SCIM: Final = "/scim/v2"
"""Beside the API, not below it."""
SCIM_ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
MAX_CONNECTIONS: Final = 32
CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 30.0
TOTAL_TIMEOUT: Final = 60.0
DEFAULT_RETRY_AFTER: Final = 5.0
MAX_RETRY_AFTER: Final = 300.0
MAX_TEXT: Final = 512
"""Characters of what a server says that are told."""
MAX_VALIDATIONS: Final = 16

_MAX_WORDS: Final = 1024
_BROKEN: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError, ConnectionResetError)
"""What a server that expects TLS makes of plain HTTP."""

_CONTENT_TYPES: Final = frozenset(
    {"text/html", "text/plain", "text/xml", "application/xml", "application/octet-stream"}
)

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

    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        """`seconds` is how long it took, from the end of `before` to the answer."""


@dataclass(frozen=True, slots=True)
class _Answer:
    method: str
    path: str
    status: int
    phrase: str
    headers: Mapping[str, str]
    body: bytearray

    @property
    def what(self) -> str:
        """What it holds by its content type, in words that are ours: it may come from anything but Coder."""
        said = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if said == "application/json":
            return "something broken"
        return said if said in _CONTENT_TYPES else "something else" if said else "no content type"


class Transport:
    """Sends requests to one Coder server and returns checked JSON.

    Raises only `errors.CoderError` (and what the hooks raise). The session token goes into the header that
    Coder reads, never into a URL, and is removed from every message.
    """

    root: ClassVar[str] = API

    def __init__(self, settings: ConnectionSettings, hooks: CallHooks | None = None) -> None:
        self.settings = settings
        self._hooks = hooks
        try:
            self._proxy = proxies.proxy_for(settings.url)
        except proxies.ProxyUnusable as error:
            raise errors.Unreachable(str(error)) from None
        except ValueError as error:
            raise errors.Unreachable(f"{settings.url} is no URL: {error}; check spec.url") from None
        # True is aiohttp's word for its own context, which http does not need; False would accept any certificate.
        context = tls.context(settings.ca_bundle) if urlsplit(settings.url).scheme == "https" else True
        self._base = settings.url.rstrip("/") + self.root
        self._http = aiohttp.ClientSession(
            headers={
                **self._credentials(),
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"coder-enterprise/{__version__}",
            },
            connector=aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS,
                ssl=context,
                socket_factory=addresses.any_socket if settings.anywhere else addresses.guarded_socket,
            ),
            timeout=aiohttp.ClientTimeout(TOTAL_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy.url if self._proxy else None,
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

        async def read(answer: _Answer) -> tuple[T, str]:
            return await self._read(model, answer), answer.headers.get(header, "")

        return await self._request(Call(operation, method, path), read, body=body)

    async def delete(self, operation: str, path: str) -> None:
        """DELETE `path`; raises `errors.NotFound` when it is gone already."""
        await self._request(Call(operation, "DELETE", path), _nothing)

    async def _request(
        self,
        call: Call,
        read: Callable[[_Answer], Awaitable[T]],
        *,
        query: Mapping[str, str | int] | None = None,
        body: BaseModel | None = None,
        limit: int = MAX_ANSWER,
    ) -> T:
        if self._hooks:
            await self._hooks.before(call)
        started = time.monotonic()
        try:
            with BUDGET.share() as share:
                answer = await self._exchange(call, query, body, partial(self._body, call, limit, share))
                self._raise_for_status(answer)
                result = await read(answer)
        except errors.CoderError as error:
            if self._hooks:
                await self._hooks.after(call, error, time.monotonic() - started)
            raise
        if self._hooks:
            await self._hooks.after(call, None, time.monotonic() - started)
        return result

    async def _exchange(
        self,
        call: Call,
        query: Mapping[str, str | int] | None,
        body: BaseModel | None,
        collect: Callable[[aiohttp.ClientResponse], Awaitable[bytearray]],
    ) -> _Answer:
        content = body.model_dump_json(exclude_unset=True).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else None
        target = f"{self._base}{call.path}" + (f"?{urlencode(query)}" if query else "")
        try:
            # The path is quoted already: quoted once more, a name could become another.
            url = yarl.URL(target, encoded=True)
            async with self._http.request(
                call.method, url, data=content, headers=headers, allow_redirects=False
            ) as response:
                return _Answer(
                    call.method,
                    self.root + call.path,
                    response.status,
                    response.reason or "",
                    response.headers,
                    await collect(response),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unreachable(error) from None
        except RuntimeError as error:
            # aiohttp's word for a session that was closed: the token or the address was replaced meanwhile.
            if not self._http.closed:
                raise
            raise errors.Unreachable(f"the connection to {self.settings.url} was replaced") from error

    def _unreachable(self, error: Exception) -> errors.CoderError:
        through = proxies.failure(self._proxy, self.settings.url, error)
        if through:
            return errors.Unreachable(through)
        failed = _tls_error(error)
        if failed is not None:
            if failed.reason in tls.NOT_SPOKEN:
                return errors.TLSFailed(
                    f"{self.settings.url} speaks no TLS; write http:// in spec.url, or the port of https"
                )
            cause = getattr(failed, "verify_message", "") or getattr(failed, "reason", "") or type(failed).__name__
            return errors.TLSFailed(
                f"TLS with {self.settings.url} failed: {cause}; check the server's certificate, or name its "
                "issuer in spec.caBundle or spec.caBundleSecretRef"
            )
        if isinstance(error, TimeoutError):
            cause = f"no answer within {CONNECT_TIMEOUT:.0f} s (connect) or {READ_TIMEOUT:.0f} s (read)"
        else:
            cause = _cause(error)
        advice = "check spec.url"
        if isinstance(error, _BROKEN) and self.settings.url.startswith("http:"):
            advice = "if TLS is spoken there, write https:// in spec.url"
        return errors.Unreachable(self._clean(f"{self.settings.url} cannot be reached: {cause}; {advice}"))

    def _raise_for_status(self, answer: _Answer) -> None:
        status = answer.status
        if status < 300:
            return
        if status < 400:
            target = _origin(answer.headers.get("Location", ""))
            message = f"{self.settings.url} redirects to {target}; spec.url must be Coder's own access URL"
            raise errors.NotCoder(self._clean(message))
        if self._proxy and status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            raise errors.Unreachable(proxies.wants_credentials(self._proxy))
        raise self._api_error(answer)

    def _api_error(self, answer: _Answer) -> errors.CoderError:
        status = answer.status
        envelope = _envelope(answer)
        if envelope is None:
            if status == 429 or status >= 500:
                envelope = {}
            else:
                return self._not_coder(answer)
        message = self._clean(str(envelope.get("message") or answer.phrase or "no message"))
        mistake = self._mistake(answer) if status == HTTPStatus.NOT_FOUND and "route" in message.lower() else ""
        if mistake:
            return errors.NotCoder(mistake)
        if status == 429:
            wanted = retry_after(answer.headers.get("Retry-After", ""))
            return errors.TooManyRequests(
                status, message, DEFAULT_RETRY_AFTER if wanted is None else min(wanted, MAX_RETRY_AFTER)
            )
        detail = self._clean(str(envelope.get("detail") or ""))
        listed = envelope.get("validations")
        validations = {
            self._clean(str(item.get("field", ""))): self._clean(str(item.get("detail", "")))
            for item in (listed[:MAX_VALIDATIONS] if isinstance(listed, list) else ())
            if isinstance(item, dict)
        }
        return _error_class(status)(status, message, detail, validations)

    async def _body(self, call: Call, limit: int, share: Share, response: aiohttp.ClientResponse) -> bytearray:
        if response.status >= 300:
            limit = MAX_ERROR
        encoding = response.headers.get("Content-Encoding", "")
        try:
            return await collect(response.content.iter_any(), encoding, limit, share)
        except TooLarge as error:
            if response.status >= 300:
                return bytearray()  # the status tells enough
            raise self._too_large(call.method, self.root + call.path, error) from None
        except NoRoom:
            raise errors.Crowded(
                f"{call.method} {self.root}{call.path} has a large answer, and as many as there is memory for are "
                "being read; it is tried again"
            ) from None

    async def _read(self, model: type[T] | Reader[T], answer: _Answer) -> T:
        reader: Reader[T] = _adapter(model)  # type: ignore[arg-type]
        try:
            return await read(reader, answer.body)
        except TooLarge as error:
            raise self._too_large(answer.method, answer.path, error) from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                raise self._not_coder(answer) from None
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            message = (
                f"{answer.method} {answer.path}: {where}: {first['msg']}; is this "
                "a Coder server of a supported version?"
            )
            raise errors.UnexpectedShape(self._clean(message)) from None
        except (ValueError, RecursionError):
            raise self._not_coder(answer) from None

    def _too_large(self, method: str, path: str, error: TooLarge) -> errors.CoderError:
        return errors.UnexpectedShape(f"{method} {path} answered {error}; is {self.settings.url} Coder itself?")

    def _not_coder(self, answer: _Answer) -> errors.CoderError:
        return errors.NotCoder(
            self._mistake(answer)
            or f"{answer.method} {answer.path} answered {answer.status} with {answer.what} "
            f"instead of JSON; check that {self.settings.url} is Coder itself, not a proxy's login page"
        )

    def _mistake(self, answer: _Answer) -> str:
        """What is wrong with `spec.url`, by an answer that is not Coder's; "" when that does not show."""
        parts = urlsplit(self.settings.url)
        said = answer.body[:_MAX_WORDS].lower()
        if parts.scheme == "http" and b"http request" in said and b"https" in said:
            return f"{self.settings.url} speaks TLS: write https:// in spec.url"
        if parts.path.strip("/"):
            origin = f"{parts.scheme}://{parts.netloc}"
            return f"spec.url has the path {parts.path}; Coder's access URL rarely has one: write {origin}"
        return ""

    def _clean(self, text: str) -> str:
        for secret in filter(None, (self.settings.token, self.settings.scim_key)):
            text = text.replace(secret, errors.REMOVED)
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


class SCIMTransport(Transport):
    """The same for SCIM, which has an address, a key and errors of its own.

    Old servers answer 500 to everything that SCIM refuses, the key included, and a page of HTML where it is switched
    off. So none of its refusals may count as an outage of Coder: they are `errors.SCIMRefused`.
    """

    root: ClassVar[str] = SCIM

    @override
    def _credentials(self) -> dict[str, str]:
        return {"Authorization": self.settings.scim_key}

    @override
    def _api_error(self, answer: _Answer) -> errors.CoderError:
        detail = _scim_detail(answer)
        if detail is None and answer.status not in {401, 404}:
            return super()._api_error(answer)
        told = detail or answer.phrase or "no message"
        return errors.SCIMRefused(answer.status, self._clean(f"SCIM: {told}"))

    @override
    def _not_coder(self, answer: _Answer) -> errors.CoderError:
        return errors.SCIMRefused(
            answer.status, f"SCIM: {answer.what} instead of JSON; is CODER_SCIM_AUTH_HEADER set on the server?"
        )


def _scim_detail(answer: _Answer) -> str | None:
    """What an error of SCIM says; None when the answer is none."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or SCIM_ERROR not in (body.get("schemas") or ()):
        return None
    return str(body.get("detail") or body.get("scimType") or "no details")


async def _nothing(_: _Answer) -> None:
    """Of an answer of which nothing is needed."""


@cache
def _adapter(model: Any) -> Reader[Any]:
    return TypeAdapter(model) if isinstance(model, type) else model


def _cause(error: Exception) -> str:
    """In few words. aiohttp's own tell the address once more, and repeat what they could not read: it may be the
    greeting of anything that listens there."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection before it had answered"
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "its answer is no HTTP, or breaks off"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(inner, "strerror", "") or str(inner) or type(error).__name__


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError) and not isinstance(seen, aiohttp.ClientError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _envelope(answer: _Answer) -> dict[str, Any] | None:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and "message" in body else None


def _origin(location: str) -> str:
    """Where a redirect leads, without the path, which may hold anything and was meant for others."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "something that is no URL"
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another page of its own"


def retry_after(header: str) -> float | None:
    """Seconds, at least 0, from a number or an HTTP date (RFC 9110, 10.2.3); None from what is neither."""
    try:
        wanted = float(header)
    except ValueError:
        wanted = _seconds_until(header)
    return max(wanted, 0.0) if math.isfinite(wanted) else None


def _seconds_until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return math.nan


def _error_class(status: int) -> type[errors.APIError]:
    if status >= 500:
        return errors.ServerError
    known: dict[int, type[errors.APIError]] = {
        401: errors.Unauthorized,
        403: errors.Forbidden,
        404: errors.NotFound,
        409: errors.AlreadyTaken,
    }
    return known.get(status, errors.BadRequest)
