"""What the workspace proxy asks its server, the primary: to be registered and deregistered, and for its build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from coder_enterprise.wire.buildinfo import VERSION, BuildInfo
from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.proxies import (
    PROXY_AUTHENTICATION,
    DeregisterWorkspaceProxyRequest,
    RegisterWorkspaceProxyRequest,
)

TIMEOUT: Final = 10.0
"""Seconds for each call."""
BUILD_INFO_TIMEOUT: Final = 3.0
"""Less than the server waits for the health report that the answer is for."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class PrimaryError(Exception):
    """A call that failed; the message says why and what to do."""


class PrimaryUnreachable(PrimaryError):
    """It may answer the next time."""


class PrimaryRefused(PrimaryError):
    """It will say the same until a person does something."""


class _Registered(WireModel):
    """Of all that the server tells, what shows that it is one: who proxies nothing needs no keys."""

    derp_region_id: int


class Primary:
    """An asynchronous context manager."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token

    async def __aenter__(self) -> Primary:
        self._http = aiohttp.ClientSession(
            headers={"User-Agent": f"coder/{VERSION}"},
            # Calls are 30 seconds apart; a connection that went stale would be a failure.
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.close()

    async def build_info(self) -> BuildInfo:
        """Raises `PrimaryError`."""
        return _read(await self._call("GET", "/buildinfo", timeout=BUILD_INFO_TIMEOUT), BuildInfo)

    async def register(self, request: RegisterWorkspaceProxyRequest) -> None:
        """Raises `PrimaryError`."""
        _read(await self._call("POST", "/workspaceproxies/me/register", request), _Registered)

    async def deregister(self, request: DeregisterWorkspaceProxyRequest) -> None:
        """Raises `PrimaryError`."""
        await self._call("POST", "/workspaceproxies/me/deregister", request)

    async def _call(self, method: str, path: str, body: BaseModel | None = None, timeout: float = TIMEOUT) -> bytes:
        headers = {PROXY_AUTHENTICATION: self._token} if body is not None else {}
        content = body.model_dump_json().encode() if body is not None else None
        try:
            async with self._http.request(
                method,
                f"{self.url}/api/v2{path}",
                data=content,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(timeout),
            ) as response:
                status, answer = response.status, await response.read()
        except TimeoutError:
            raise PrimaryUnreachable(self._hint(f"no answer within {timeout:.0f} s")) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PrimaryUnreachable(self._hint(_cause(error))) from None
        if status >= 300:
            raise self._error(status, answer)
        return answer

    def _hint(self, cause: str) -> str:
        return f"{self.url} cannot be reached: {cause}; check CODER_PRIMARY_ACCESS_URL, and that the server runs"

    def _error(self, status: int, answer: bytes) -> PrimaryError:
        said = _said(answer).replace(self._token, "[removed]")
        if status == 401:
            return PrimaryRefused(
                f"{self.url} refused the token: {said}; create the workspace proxy, or regenerate its token, and set "
                "CODER_PROXY_SESSION_TOKEN to the one that is shown"
            )
        if status == 429 or status >= 500:
            return PrimaryUnreachable(f"{self.url} answered {status}: {said}; it is overloaded, or has a fault")
        if status < 400 or status == 404:
            return PrimaryRefused(
                f"{self.url} answered {status}: {said}; check that CODER_PRIMARY_ACCESS_URL is the server's own "
                "access URL"
            )
        return PrimaryRefused(f"{self.url} refused the registration with {status}: {said}")


def _read(body: bytes, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise PrimaryRefused(
            f"CODER_PRIMARY_ACCESS_URL: what answers there is no Coder server of a supported version: {where}: "
            f"{first['msg']}"
        ) from None


def _said(answer: bytes) -> str:
    """The envelope in one line, or the start of anything else."""
    text = answer.decode(errors="replace")
    try:
        envelope: Any = json.loads(text)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, Mapping) or "message" not in envelope:
        return text.strip()[:200] or "nothing"
    fields = [
        f"{item.get('field')} {item.get('detail')}"
        for item in envelope.get("validations") or []
        if isinstance(item, Mapping)
    ]
    return " ".join(str(part) for part in (envelope["message"], envelope.get("detail"), "; ".join(fields)) if part)


def _cause(error: Exception) -> str:
    """In few words; aiohttp's own tell the address once more."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(inner, "strerror", "") or str(inner) or type(error).__name__
