"""`python -m tools.bench.page [--objects 10000] [--viewers 50]`: what the operator's page costs, in one process.

First byte of the overview and of lists, at first and once it is known; how long many viewers wait who read it anew
after one change; processor time at rest with streams that listen; memory. The client runs in the same process, so that
its share is in all figures. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp
from kubernetes.aio.client import Configuration

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller.beside import Beside
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.history import History
from coder_enterprise.controller.index import Index
from coder_enterprise.controller.journal import Journal
from coder_enterprise.controller.queue import Queue
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.registry import CONNECTION_KIND, KINDS, MANAGED_KINDS
from coder_enterprise.page.server import PageServer
from coder_enterprise.page.settings import PageSettings
from coder_enterprise.process.addresses import Address, listen, url_of

NEVER: Final = aiohttp.ClientTimeout()
PATHS: Final = ("/", "/objects", "/objects?state=waiting&sort=-since", "/objects?q=group-77")
TIMES: Final = 20
REST: Final = 20.0
TICK: Final = 0.001
"""Seconds after which it is looked how late the event loop is."""
CHANGES: Final = 5
SINCE: Final = "2026-01-02T03:04:05Z"


def body(kind: str, name: str, number: int, **spec: Any) -> Resource:
    ready = {"type": "Ready", "status": "True" if number % 10 else "False", "reason": "Applied", "message": "applied"}
    metadata = {"namespace": f"team-{number % 50}", "name": name, "uid": name, "resourceVersion": "1", "generation": 1}
    status = {"observedGeneration": 1, "conditions": [ready | {"lastTransitionTime": SINCE}], "id": name}
    return Resource.from_body(kind, {"metadata": metadata, "spec": spec, "status": status})


def view(objects: int) -> View:
    index = Index(CONNECTION_KIND, MANAGED_KINDS)
    store = Store(index.terms, lambda before, after: None)
    for number in range(50):
        store.put(body("CoderDeployment", "coder", number, url="https://coder.example.com"))
    for number in range(objects):
        store.put(body("CoderGroup", f"group-{number}", number, displayName=f"Group {number}"))
    names = [kind.names for kind in KINDS]
    connections = Connections(cast("Beside", None))
    return View(names, store, index, connections, Queue(), Journal(), History())


@dataclass
class Held:
    """How long at most the event loop did nothing else, in milliseconds."""

    longest: float = 0.0


@asynccontextmanager
async def held() -> AsyncIterator[Held]:
    found = Held()

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            found.longest = max(found.longest, (time.perf_counter() - before - TICK) * 1000)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield found
    finally:
        await asyncio.sleep(2 * TICK)
        watching.cancel()


async def first_byte(client: aiohttp.ClientSession, url: str) -> float:
    """In milliseconds."""
    begun = time.perf_counter()
    async with client.get(url) as answer:
        await answer.content.readany()
        took = time.perf_counter() - begun
        await answer.read()
    await asyncio.sleep(took)  # as long the page waits before it makes another
    return took * 1000


async def rest(client: aiohttp.ClientSession, url: str, viewers: int) -> float:
    """Processor time of this process in percent of one processor, while so many listen and nothing happens."""
    async with AsyncExitStack() as stack:
        for _ in range(viewers):
            answer = await stack.enter_async_context(client.get(f"{url}/live"))
            await answer.content.readany()
        before = time.process_time()
        await asyncio.sleep(REST)
        return (time.process_time() - before) / REST * 100


async def after_a_change(client: aiohttp.ClientSession, shown: View, url: str, viewers: int) -> tuple[float, float]:
    """Milliseconds until each of them has read that page anew, and for which the event loop was held at most."""
    shown.tell(Key("CoderGroup", "team-1", "group-1"))
    async with held() as loop:
        begun = time.perf_counter()
        ended = await asyncio.gather(*(_read(client, url) for _ in range(viewers)))
    return (max(ended) - begun) * 1000, loop.longest


async def _read(client: aiohttp.ClientSession, url: str) -> float:
    async with client.get(url) as answer:
        await answer.read()
    return time.perf_counter()


async def measure(objects: int, viewers: int) -> None:
    before = _megabytes()
    print("load average", *(f"{number:.1f}" for number in os.getloadavg()))
    settings = PageSettings(listen("bench", Address("127.0.0.1", 0)))
    url = url_of(settings.listener)
    shown = view(objects)
    without = _megabytes()
    async with (
        KubernetesClient(Configuration(host="http://127.0.0.1:9")) as nobody,
        PageServer(shown, nobody, settings),
    ):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=NEVER) as client:
            for path in PATHS:
                async with held() as loop:
                    first = await first_byte(client, url + path)
                more = []
                for _ in range(TIMES):
                    shown.tell(Key("CoderGroup", "team-1", "group-1"))
                    more.append(await first_byte(client, url + path))
                median, known = sorted(more)[len(more) // 2], await first_byte(client, url + path)
                print(
                    f"{path:38} first {first:6.1f} ms (event loop held for {loop.longest:5.1f}), "
                    f"after a change {median:6.1f}, without {known:6.1f}"
                )
            for path in PATHS[:2]:
                took = sorted([await after_a_change(client, shown, url + path, viewers) for _ in range(CHANGES)])
                whole, longest = took[len(took) // 2]
                print(f"{path:38} {viewers} viewers after a change {whole:6.1f} ms (held for {longest:5.1f})")
            print(f"at rest with {viewers} viewers: {await rest(client, url, viewers):.2f} % of one processor")
    page = _megabytes() - without
    print(f"memory: {without - before:.0f} MB for {objects} objects, {page:.0f} MB more at most for the page")


def _megabytes() -> float:
    """The most that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.page", description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--viewers", type=int, default=50)
    options = parser.parse_args()
    asyncio.run(measure(options.objects, options.viewers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
