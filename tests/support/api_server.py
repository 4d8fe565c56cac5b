"""A Kubernetes API server for tests of what lists and watches: discovery, lists, watches, and every bad answer.

It holds objects of our own kinds and Secrets, without rules of any kind; what a real one does with them is tested end
to end. A `Fault` answers in place of a list or a watch, as API servers, proxies and gateways do.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import web

from coder_enterprise.kinds.machinery.resource import GROUP, VERSION
from tests.support.front import Certificate

Body = dict[str, Any]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]

CORE: Final = "/api/v1"
CUSTOM: Final = f"/apis/{GROUP}/{VERSION}"
CRDS: Final = "/apis/apiextensions.k8s.io/v1"
SHUTDOWN: Final = 0.1


class APIServer:
    """An asynchronous context manager. `requests` has the verb and the plural of each list and watch."""

    def __init__(self, plurals: Sequence[str], certificate: Certificate | None = None) -> None:
        self.plurals = list(plurals)
        """What discovery names, and lists and watches serve; take one out, and it is 404."""
        self.url = ""
        self.port = 0
        self._context = certificate.server_context() if certificate else None
        self.requests: list[tuple[str, str]] = []
        self.selectors: set[tuple[str, str]] = set()
        """Which labels were asked for, by plural."""
        self.since: dict[str, str] = {}
        """From which version on the last watch was asked for, by plural."""
        self.page_size = 0
        """Objects in a page of a list, whatever was asked for; 0 is all."""
        self.page_seconds = 0.0
        """Until a page comes."""
        self.tokens: list[str] = []
        """What the requests said in their header Authorization."""
        self._faults: dict[tuple[str, str], list[Fault]] = defaultdict(list)
        self._objects: dict[str, dict[tuple[str, str], Body]] = defaultdict(dict)
        self._streams: dict[str, set[asyncio.Queue[bytes | None]]] = defaultdict(set)
        self._told: dict[str, list[Body]] = defaultdict(list)
        self._versions = itertools.count(100)
        self._version = "100"

    async def __aenter__(self) -> APIServer:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN)
        await self._runner.setup()
        await self.listen()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.end_watches()
        await self._runner.cleanup()

    async def listen(self) -> None:
        """At the same port as before, if it was there before."""
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._context)
        await self._site.start()
        self.port = self.port or self._runner.addresses[0][1]
        self.url = f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    async def refuse_connections(self) -> None:
        await self._site.stop()
        self.end_watches()

    def put(self, plural: str, name: str, namespace: str = "team", /, **spec: Any) -> Body:
        known = self._objects[plural].get((namespace, name))
        self._version = str(next(self._versions))
        metadata = {"namespace": namespace, "name": name, "uid": f"uid-{plural}-{name}"}
        body = {"metadata": {**metadata, "resourceVersion": self._version, "generation": 1}, "spec": spec}
        self._objects[plural][namespace, name] = body
        self._tell(plural, {"type": "MODIFIED" if known else "ADDED", "object": body})
        return body

    def put_unseen(self, plural: str, name: str, namespace: str = "team", /, **spec: Any) -> None:
        """As `put`, but no watch tells of it."""
        streams = self._streams.pop(plural, set())
        self.put(plural, name, namespace, **spec)
        self._told[plural].pop()
        self._streams[plural] = streams

    def put_status(self, plural: str, body: Body) -> None:
        """Tell of an object whose status has changed."""
        self._version = body["metadata"]["resourceVersion"] = str(next(self._versions))
        self._tell(plural, {"type": "MODIFIED", "object": body})

    def bookmark(self, plural: str) -> None:
        self._tell(plural, {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": self._version}}})

    def say(self, plural: str, line: bytes) -> None:
        """On all watches of that kind."""
        for stream in self._streams[plural]:
            stream.put_nowait(line)

    def end_watches(self, plural: str = "") -> None:
        for name in [plural] if plural else list(self._streams):
            for stream in self._streams[name]:
                stream.put_nowait(None)

    def watches(self, plural: str) -> int:
        """How many there are now."""
        return len(self._streams[plural])

    def fail(self, verb: str, plural: str, *faults: Fault) -> None:
        """Answer so the next requests, one after another; the last one until `heal`."""
        self._faults[verb, plural] = list(faults)

    def heal(self) -> None:
        self._faults.clear()

    def _tell(self, plural: str, event: Body) -> None:
        if event["type"] != "BOOKMARK":
            self._told[plural].append(event["object"])
        self.say(plural, _line(event))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization", ""))
        discovery = self._discover(request.path)
        if discovery is not None:
            return web.json_response(discovery)
        api, _, plural = request.path.rpartition("/")
        namespace = api.partition("/namespaces/")[2]
        verb = "watch" if request.query.get("watch") == "true" else "list"
        self.requests.append((verb, plural))
        self.selectors.add((plural, request.query.get("labelSelector", "")))
        faults = self._faults.get((verb, plural))
        if faults:
            return await (faults.pop(0) if len(faults) > 1 else faults[0])(request)
        if plural not in self.plurals:
            return web.Response(status=404, text="404 page not found\n")
        if verb == "watch":
            return await self._watch(request, plural)
        await asyncio.sleep(self.page_seconds)
        return self._list(request, plural, namespace)

    def _discover(self, path: str) -> Body | None:
        groups = [
            {"name": name, "versions": [{"version": version}], "preferredVersion": {"version": version}}
            for name, version in ((GROUP, VERSION), ("apiextensions.k8s.io", "v1"))
        ]
        verbs = ["get", "list", "watch", "patch"]

        def resources(*names: str) -> Body:
            plain = {"singularName": "", "namespaced": True, "verbs": verbs}
            return {"resources": [{"name": name, "kind": name.title(), **plain} for name in names]}

        known: dict[str, Body] = {
            "/api": {"versions": ["v1"]},
            "/apis": {"groups": groups},
            CORE: resources("secrets", "namespaces", "events"),
            CRDS: resources("customresourcedefinitions"),
            CUSTOM: resources(*(name for name in self.plurals if name != "secrets")),
        }
        return known.get(path)

    def _list(self, request: web.Request, plural: str, namespace: str) -> web.Response:
        items = [body for (space, _), body in self._objects[plural].items() if namespace in {"", space}]
        metadata_only = "PartialObjectMetadataList" in request.headers.get("Accept", "")
        metadata = {"resourceVersion": self._version}
        if self.page_size and not metadata_only:
            start = int(request.query.get("continue", "0"))
            rest, items = items[start + self.page_size :], items[start : start + self.page_size]
            metadata["continue"] = str(start + self.page_size) if rest else ""
        found = None if metadata_only and not items else items  # as Kubernetes answers
        return web.json_response({"kind": "List", "metadata": metadata, "items": found})

    def _since(self, plural: str, version: str) -> list[Body]:
        return [body for body in self._told[plural] if int(body["metadata"]["resourceVersion"]) > int(version)]

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.since[plural] = request.query.get("resourceVersion", "0")
        for body in self._since(plural, self.since[plural]):
            stream.put_nowait(_line({"type": "MODIFIED", "object": body}))
        self._streams[plural].add(stream)
        try:
            await response.prepare(request)
            while (line := await stream.get()) is not None:
                await response.write(line)
        except ConnectionError:
            pass
        finally:
            self._streams[plural].discard(stream)
        return response


def _line(event: Body) -> bytes:
    return json.dumps(event).encode() + b"\n"


# What else may answer


def status(code: int, body: object = None, /, **headers: str) -> Fault:
    """A refusal in Kubernetes' own words."""
    reason = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": f"refused: {code}"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body or reason, status=code, headers=names)

    return answer


def text(body: str, code: int = 200, content_type: str = "text/html") -> Fault:
    """What a gateway, a login page or a router without that path says."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=body, content_type=content_type)

    return answer


def lines(*parts: bytes, cut: bool = False) -> Fault:
    """A stream of these bytes that ends then; with `cut` by a reset."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if cut and request.transport is not None:
            request.transport.abort()
        return response

    return answer


async def reset(request: web.Request) -> web.StreamResponse:
    """The connection is cut in place of an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    """A line that never ends, for as long as it is read."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b"x" * 1024)
        await asyncio.sleep(0.01)


async def silence(_: web.Request) -> web.StreamResponse:
    """No answer at all."""
    await asyncio.Event().wait()
    raise AssertionError("it waits for ever")


async def silent_stream(request: web.Request) -> web.StreamResponse:
    """An accepted watch on which nothing ever comes."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await asyncio.Event().wait()
    return response
