"""What the requests of one Kopf source tell: each is noted, and no answer reaches Kopf that it cannot bear.

An `Observer` is the middleware of the HTTP session that Kopf is given at its login. Kopf itself survives connections
that break and answers of 5xx, which it repeats; whatever else an API server, a proxy or a gateway may say ends it, or
makes it wait without an end (docs/explanation/kopf.md). So here are two kinds of answers: "not now" becomes a broken
connection, after the pause that was asked for, and "no" ends the source, which `controller.watches` replaces.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from coder_enterprise.client.clock import now
from coder_enterprise.client.retry_after import retry_after
from coder_enterprise.cluster.paths import Collection
from coder_enterprise.controller.watch import Watch, WatchTimes

MAX_REFUSAL: Final = 65_536
"""Bytes that are read of an answer which is none."""
MAX_WORDS: Final = 300
MAX_LINE: Final = 16 << 20
"""Bytes of one event: an API server stores objects of a tenth of that. Kopf would collect a longer one for as long as
memory lasts, copying all of it again for each piece, while nothing else in this process gets on."""


class WatchRefused(Exception):
    """The API server, or what stands before it, says no; `status` is what it answered with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _NotNow(aiohttp.ClientConnectionError):
    """For Kopf, as if the connection had broken: it asks again."""


IsKnown = Callable[[str, Mapping[str, Any]], bool]
"""Whether that object of a plural is known in its version or a newer one already."""


class Observer:
    """Middleware for the requests of one source of `watch`."""

    def __init__(
        self,
        watch: Watch,
        times: WatchTimes,
        explain: Callable[[Exception], str],
        is_known: IsKnown = lambda *_: False,
    ) -> None:
        """`explain` says why there is no answer. What a list holds that `is_known`, Kopf is not shown: it would take
        half a millisecond and ten kilobytes for each object."""
        self._watch = watch
        self._times = times
        self._explain = explain
        self._is_known = is_known
        self._next_at = 0.0
        self._path = watch.collection.path(watch.namespace)
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
        if is_watch:
            await asyncio.sleep(self._next_at - now())
            self._next_at = now() + self._times.pace
        try:
            response = await handler(request)
            await self._judge(response)
            if is_own:
                # Each page of a list, too: one of many objects, or from a slow API server, takes minutes in all.
                response.content = _Heard(response.content, self._watch.heard, self._shorten)  # type: ignore[assignment]
            if is_own and not is_watch:
                await self._leave_out(response)
        except _NotNow:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._watch.troubled(self._explain(error))
            raise
        if is_watch:
            self._watch.served()
        return response

    async def _leave_out(self, response: aiohttp.ClientResponse) -> None:
        """What is known already, of a page of a list; what is none is left to Kopf."""
        try:
            page: Any = json.loads(await response.read())
            news = [item for item in page["items"] if not self._is_known(self._watch.collection.plural, item)]
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return
        if len(news) < len(page["items"]):
            response._body = json.dumps({**page, "items": news}).encode()  # noqa: SLF001 - it has no other way in

    def _shorten(self, line: bytes) -> bytes:
        """Of a watch: a bookmark in place of what is known already, which most of it is, being our own writes. So Kopf
        learns from where to go on, and is spared the object."""
        try:
            event: Any = json.loads(line)
            body = event["object"]
            if event["type"] == "DELETED" or not self._is_known(self._watch.collection.plural, body):
                return line
            version = body["metadata"]["resourceVersion"]
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return line
        return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}).encode()

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
    """The body of a watch, or of a page of a list: tells when something comes. The blank line by which a proxy keeps a
    connection is nothing."""

    def __init__(
        self, content: aiohttp.StreamReader, heard: Callable[[], None], shorten: Callable[[bytes], bytes]
    ) -> None:
        """`shorten` is what becomes of each line of a watch."""
        self._content = content
        self._heard = heard
        self._shorten = shorten

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self) -> bytes:
        data = await self._content.read()
        if data.strip():
            self._heard()
        return data

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        begun: list[bytes] = []
        async for data in self._content.iter_chunked(size):
            if data.strip():
                self._heard()
            *ends, rest = data.split(b"\n")
            for end in ends:
                yield self._shorten(b"".join((*begun, end))) + b"\n"
                begun.clear()
            begun.append(rest)
            if sum(map(len, begun)) > MAX_LINE:
                raise WatchRefused(
                    HTTPStatus.OK, f"an event of more than {MAX_LINE:,} bytes came; is there a proxy in between?"
                )
        yield b"".join(begun)
