"""The only module that imports the HTTP library: one request, its limits, and its errors.

Used by `client.coder`. Owns the connection pool of one deployment. It does not know what a group is, and it
does not decide when to try again, but for reads whose kept-alive connection turned out to be closed.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol, TypeVar

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from coder_enterprise import __version__
from coder_enterprise.client import errors

API: Final = "/api/v2"
MAX_CONNECTIONS: Final = 32
CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 30.0
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


class Transport:
    """Sends requests to one Coder server and returns checked JSON.

    Raises only `errors.CoderError` (and what the hooks raise). The session token goes into the header that
    Coder reads, never into a URL, and is removed from every message.
    """

    def __init__(self, settings: ConnectionSettings, hooks: CallHooks | None = None) -> None:
        self.settings = settings
        self._hooks = hooks
        self._http = httpx2.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={
                "Coder-Session-Token": settings.token,
                "Accept": "application/json",
                "User-Agent": f"coder-enterprise/{__version__}",
            },
            verify=_ssl_context(settings),
            timeout=httpx2.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            follow_redirects=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

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
    ) -> httpx2.Response:
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

    async def _exchange(
        self, call: Call, query: Mapping[str, str | int] | None, body: BaseModel | None
    ) -> httpx2.Response:
        content = body.model_dump_json(exclude_unset=True).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else None
        attempts = 1 if call.writes else 2
        while True:
            attempts -= 1
            try:
                response = await self._http.request(
                    call.method, API + call.path, params=query or None, content=content, headers=headers
                )
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as error:
                if attempts:
                    continue
                raise self._unreachable(error) from None
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
                raise self._unreachable(error) from None
            self._raise_for_status(response)
            return response

    def _unreachable(self, error: Exception) -> errors.CoderError:
        tls = _tls_error(error)
        if tls is not None:
            cause = getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or type(tls).__name__
            return errors.TLSFailed(
                f"TLS with {self.settings.url} failed: {cause}; check the server's certificate, or name its "
                "issuer in spec.caBundle or spec.caBundleSecretRef"
            )
        if isinstance(error, httpx2.TimeoutException):
            cause = f"no answer within {CONNECT_TIMEOUT:.0f} s (connect) or {READ_TIMEOUT:.0f} s (read)"
        else:
            cause = str(error) or type(error).__name__
        return errors.Unreachable(self._clean(f"{self.settings.url} cannot be reached: {cause}; check spec.url"))

    def _raise_for_status(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status < 300:
            return
        if status < 400:
            target = response.headers.get("location", "nowhere")
            raise errors.NotCoder(f"{self.settings.url} redirects to {target}; spec.url must be Coder's own access URL")
        raise self._api_error(response)

    def _api_error(self, response: httpx2.Response) -> errors.CoderError:
        status = response.status_code
        envelope = _envelope(response)
        if envelope is None:
            if status == 429 or status >= 500:
                envelope = {}
            else:
                return self._not_coder(response)
        message = self._clean(str(envelope.get("message") or response.reason_phrase or "no message"))
        if status == 429:
            return errors.TooManyRequests(status, message, _retry_after(response))
        detail = self._clean(str(envelope.get("detail") or ""))
        validations = {
            str(item.get("field", "")): self._clean(str(item.get("detail", "")))
            for item in envelope.get("validations") or []
            if isinstance(item, dict)
        }
        return _error_class(status)(status, message, detail, validations)

    def _read(self, response: httpx2.Response, model: type[T] | TypeAdapter[T]) -> T:
        adapter: TypeAdapter[T] = _adapter(model)  # type: ignore[arg-type]
        try:
            return adapter.validate_json(response.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                raise self._not_coder(response) from None
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise errors.NotCoder(
                f"{response.request.method} {response.request.url.path}: {where}: {first['msg']}; is this "
                "a Coder server of a supported version?"
            ) from None

    def _not_coder(self, response: httpx2.Response) -> errors.NotCoder:
        kind = response.headers.get("content-type", "no content type").partition(";")[0]
        return errors.NotCoder(
            f"{response.request.method} {response.request.url.path} answered {response.status_code} with {kind} "
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


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _envelope(response: httpx2.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and "message" in body else None


def _retry_after(response: httpx2.Response) -> float:
    """Seconds; the HTTP-date form is rare enough to take the default."""
    text = response.headers.get("retry-after", "")
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
