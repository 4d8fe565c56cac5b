"""The only module of the client that imports the HTTP library: one request, its limits, and its errors.

Used by `client.coder`. Owns the connection pool of one deployment. It does not know what a group is, and it
does not decide when to try again, but for reads whose kept-alive connection turned out to be closed.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl
from pydantic import BaseModel, TypeAdapter, ValidationError

from coder_enterprise import __version__
from coder_enterprise.client import errors

API: Final = "/api/v2"
MAX_CONNECTIONS: Final = 32
CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 30.0
TOTAL_TIMEOUT: Final = 60.0
DEFAULT_RETRY_AFTER: Final = 5.0
REMOVED: Final = "[removed]"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What it takes to reach one Coder server."""

    url: str
    """Base URL without the API path, such as https://coder.example.com."""
    token: str = field(repr=False)
    ca_bundle: str = field(default="", repr=False)
    """PEM certificates that are trusted in place of the system's; "" means the system's."""


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

    async def after(self, call: Call, error: errors.CoderError | None) -> None: ...


@dataclass(frozen=True, slots=True)
class _Answer:
    method: str
    path: str
    status: int
    phrase: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "no content type").partition(";")[0]


def environment_proxy(url: str) -> str | None:
    """The proxy for `url` by HTTPS_PROXY, HTTP_PROXY and NO_PROXY. aiohttp itself would look them up, in a thread,
    once per request."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


class Transport:
    """Sends requests to one Coder server and returns checked JSON.

    Raises only `errors.CoderError` (and what the hooks raise). The session token goes into the header that
    Coder reads, never into a URL, and is removed from every message.
    """

    def __init__(self, settings: ConnectionSettings, hooks: CallHooks | None = None) -> None:
        self.settings = settings
        self._hooks = hooks
        context = _ssl_context(settings)
        self._base = settings.url.rstrip("/") + API
        self._http = aiohttp.ClientSession(
            headers={
                "Coder-Session-Token": settings.token,
                "Accept": "application/json",
                "User-Agent": f"coder-enterprise/{__version__}",
            },
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=context),
            timeout=aiohttp.ClientTimeout(TOTAL_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=environment_proxy(settings.url),
        )

    async def close(self) -> None:
        await self._http.close()

    async def get(self, operation: str, path: str, model: type[T] | TypeAdapter[T], **query: str | int) -> T:
        """GET `path` below the API root and read the answer as `model`."""
        return self._read(await self._request(Call(operation, "GET", path), query=query), model)

    async def send(
        self, operation: str, method: str, path: str, body: BaseModel | None, model: type[T] | TypeAdapter[T]
    ) -> T:
        """Send `body` without its unset fields and read the answer as `model`."""
        return self._read(await self._request(Call(operation, method, path), body=body), model)

    async def delete(self, operation: str, path: str) -> None:
        """DELETE `path`; raises `errors.NotFound` when it is gone already."""
        await self._request(Call(operation, "DELETE", path))

    async def _request(
        self, call: Call, *, query: Mapping[str, str | int] | None = None, body: BaseModel | None = None
    ) -> _Answer:
        if self._hooks:
            await self._hooks.before(call)
        error: errors.CoderError | None = None
        try:
            return await self._exchange(call, query, body)
        except errors.CoderError as caught:
            error = caught
            raise
        finally:
            if self._hooks:
                await self._hooks.after(call, error)

    async def _exchange(self, call: Call, query: Mapping[str, str | int] | None, body: BaseModel | None) -> _Answer:
        content = body.model_dump_json(exclude_unset=True).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else None
        target = f"{self._base}{call.path}" + (f"?{urlencode(query)}" if query else "")
        attempts = 1 if call.writes else 2
        while True:
            attempts -= 1
            try:
                # The path is quoted already: quoted once more, a name could become another.
                url = yarl.URL(target, encoded=True)
                async with self._http.request(
                    call.method, url, data=content, headers=headers, allow_redirects=False
                ) as response:
                    answer = _Answer(
                        call.method,
                        API + call.path,
                        response.status,
                        response.reason or "",
                        response.headers,
                        await response.read(),
                    )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionResetError) as error:
                if attempts:
                    continue
                raise self._unreachable(error) from None
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                raise self._unreachable(error) from None
            self._raise_for_status(answer)
            return answer

    def _unreachable(self, error: Exception) -> errors.CoderError:
        tls = _tls_error(error)
        if tls is not None:
            cause = getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or type(tls).__name__
            return errors.TLSFailed(
                f"TLS with {self.settings.url} failed: {cause}; check the server's certificate, or name its "
                "issuer in spec.caBundle or spec.caBundleSecretRef"
            )
        if isinstance(error, TimeoutError):
            cause = f"no answer within {CONNECT_TIMEOUT:.0f} s (connect) or {READ_TIMEOUT:.0f} s (read)"
        else:
            cause = _cause(error)
        return errors.Unreachable(self._clean(f"{self.settings.url} cannot be reached: {cause}; check spec.url"))

    def _raise_for_status(self, answer: _Answer) -> None:
        status = answer.status
        if status < 300:
            return
        if status < 400:
            target = answer.headers.get("Location", "nowhere")
            raise errors.NotCoder(f"{self.settings.url} redirects to {target}; spec.url must be Coder's own access URL")
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
        if status == 429:
            return errors.TooManyRequests(status, message, _retry_after(answer))
        detail = self._clean(str(envelope.get("detail") or ""))
        validations = {
            str(item.get("field", "")): self._clean(str(item.get("detail", "")))
            for item in envelope.get("validations") or []
            if isinstance(item, dict)
        }
        return _error_class(status)(status, message, detail, validations)

    def _read(self, answer: _Answer, model: type[T] | TypeAdapter[T]) -> T:
        adapter: TypeAdapter[T] = _adapter(model)  # type: ignore[arg-type]
        try:
            return adapter.validate_json(answer.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                raise self._not_coder(answer) from None
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise errors.NotCoder(
                f"{answer.method} {answer.path}: {where}: {first['msg']}; is this "
                "a Coder server of a supported version?"
            ) from None

    def _not_coder(self, answer: _Answer) -> errors.NotCoder:
        return errors.NotCoder(
            f"{answer.method} {answer.path} answered {answer.status} with {answer.content_type} "
            f"instead of JSON; check that {self.settings.url} is Coder itself, not a proxy's login page"
        )

    def _clean(self, text: str) -> str:
        token = self.settings.token
        return text.replace(token, REMOVED) if token else text


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return model if isinstance(model, TypeAdapter) else TypeAdapter(model)


def _ssl_context(settings: ConnectionSettings) -> ssl.SSLContext | bool:
    if not settings.url.startswith("https"):
        return False
    try:
        return ssl.create_default_context(cadata=settings.ca_bundle or None)
    except (ssl.SSLError, ValueError):
        raise errors.TLSFailed(
            "the CA bundle holds no readable PEM certificate; check spec.caBundle or spec.caBundleSecretRef"
        ) from None


def _cause(error: Exception) -> str:
    """In few words; aiohttp's own tell the address once more."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(inner, "strerror", "") or str(inner) or type(error).__name__


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _envelope(answer: _Answer) -> dict[str, Any] | None:
    try:
        body = json.loads(answer.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) and "message" in body else None


def _retry_after(answer: _Answer) -> float:
    """Seconds; the HTTP-date form is rare enough to take the default."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else DEFAULT_RETRY_AFTER


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
