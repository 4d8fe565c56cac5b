"""What the requests of one Kopf source tell: each is noted, and no answer reaches Kopf that it cannot bear.

An `Observer` is the middleware of the HTTP session that Kopf is given at its login. Kopf itself survives connections
that break and answers of 5xx, which it repeats; whatever else an API server, a proxy or a gateway may say ends it, or
makes it wait without an end (docs/explanation/kopf.md). So here are two kinds of answers: "not now" becomes a broken
connection, after the pause that was asked for, and "no" ends the source, which `controller.watches` replaces.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from coder_enterprise.client.clock import now
from coder_enterprise.client.http import retry_after
from coder_enterprise.controller.kubernetes import Collection
from coder_enterprise.controller.watch import Watch, WatchTimes

MAX_REFUSAL: Final = 65_536
"""Bytes that are read of an answer which is none."""
MAX_WORDS: Final = 300


class WatchRefused(Exception):
    """The API server, or what stands before it, says no; `status` is what it answered with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _NotNow(aiohttp.ClientConnectionError):
    """For Kopf, as if the connection had broken: it asks again."""


class Observer:
    """Middleware for the requests of one source of `watch`."""

    def __init__(self, watch: Watch, times: WatchTimes, explain: Callable[[Exception], str]) -> None:
        """`explain` says why there is no answer."""
        self._watch = watch
        self._times = times
        self._explain = explain
        self._next_at = 0.0
        self._path = watch.collection.path(watch.namespace)
        self._lists = False
        self.ended = False
        """Set when the source was told to end: what is left of it gets no answer any more."""

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self.ended:
            raise WatchRefused(0, "the source has ended")
        self._watch.asked()
        is_own = request.url.path.endswith(self._path)
        is_watch = is_own and request.url.query.get("watch") == "true"
        if is_watch and self._lists:
            self._watch.heard()  # Kopf asks for the watch when it has read the list to its end
        if is_watch:
            await asyncio.sleep(self._next_at - now())
            self._next_at = now() + self._times.pace
        self._lists = is_own and not is_watch
        try:
            response = await handler(request)
            await self._judge(response)
        except _NotNow:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._watch.troubled(self._explain(error))
            raise
        if is_watch:
            self._watch.served()
            response.content = _Heard(response.content, self._watch.heard)  # type: ignore[assignment]
        return response

    async def _judge(self, response: aiohttp.ClientResponse) -> None:
        """Raises unless it is what a list, a watch or discovery answers with."""
        if response.status == HTTPStatus.OK and "json" in response.content_type:
            return
        words = await _words(response)
        pause = retry_after(response.headers.get("Retry-After", ""))
        response.close()
        if response.status == HTTPStatus.TOO_MANY_REQUESTS or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._watch.troubled(f"the API server says {words}")
            await asyncio.sleep(min(pause or 0.0, self._times.retry_after_max))
            raise _NotNow(words)
        raise WatchRefused(response.status, refusal(self._watch.collection, response.status, words))


def refusal(collection: Collection, status: int, words: str) -> str:
    """What a refused list or watch means, and what to do."""
    if status == HTTPStatus.FORBIDDEN:
        verbs = f"let the operator's service account get, list and watch {collection.resource}"
        return f"the API server refuses it: {words}; {verbs}"
    if status == HTTPStatus.NOT_FOUND:
        return f"the API server does not serve {collection.resource} ({words}); install its CustomResourceDefinition"
    if status == HTTPStatus.UNAUTHORIZED:
        return f"the API server does not accept the operator's credentials ({words}); renew them"
    if status == HTTPStatus.OK:
        return f"{words} came in place of an answer of Kubernetes; is there a proxy or a login page in between?"
    return f"the API server says {words}"


async def _words(response: aiohttp.ClientResponse) -> str:
    """Status and message of an answer, in one short line."""
    try:
        body = await response.content.read(MAX_REFUSAL)
    except (aiohttp.ClientError, TimeoutError, OSError):
        body = b""
    if response.status == HTTPStatus.OK:
        return response.content_type
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    told = answer.get("message") if isinstance(answer, dict) else None
    message = " ".join(str(told or response.reason or response.content_type).split())
    return f"{response.status} {message[:MAX_WORDS]}"


class _Heard:
    """The body of a watch: tells when something comes. The blank line by which a proxy keeps a connection is
    nothing."""

    def __init__(self, content: aiohttp.StreamReader, heard: Callable[[], None]) -> None:
        self._content = content
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for data in self._content.iter_chunked(size):
            if data.strip():
                self._heard()
            yield data
