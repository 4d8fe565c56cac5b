"""The end of a server as its clients see it: two of them behind a balancer, and one after the other is replaced."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx2
from starlette.types import ASGIApp
from typing_extensions import override

from coder_enterprise.process.addresses import Address, listen
from coder_enterprise.server.routes.app import Application, create_app
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.services.readiness import Readiness
from coder_enterprise.server.serving import Server
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.tls import ServerCertificate
from tests.support.balancer import Balancer
from tests.support.faults import fault
from tests.support.waiting import wait_for

DELAY = 0.5
"""Seconds: many times what the balancer needs to notice."""


class RunningServer(Server):
    """Leaves the signals to pytest. An asynchronous context manager."""

    def __init__(
        self, app: ASGIApp, readiness: Readiness, delay: float = DELAY, certificate: ServerCertificate | None = None
    ) -> None:
        super().__init__(app, readiness, delay, certificate)
        self.listener = listen("test", Address("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        yield

    async def __aenter__(self) -> RunningServer:
        self.task = asyncio.create_task(self.serve(sockets=[self.listener]))
        await wait_for(lambda: self.started, "it listens")
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.should_exit = True
        await self.task


class Load:
    """Clients that ask without a pause, each over a connection of its own that is kept, or over a new one each time."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v2/buildinfo"
        self.answers: list[int] = []
        self.lost: list[str] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        kept = [asyncio.create_task(self._ask({})) for _ in range(4)]
        new = [asyncio.create_task(self._ask({"Connection": "close"})) for _ in range(4)]
        try:
            yield
        finally:
            for task in (*kept, *new):
                task.cancel()
            await asyncio.gather(*kept, *new, return_exceptions=True)

    async def more(self) -> None:
        """Until some more have been answered."""
        start = len(self.answers)
        await wait_for(lambda: len(self.answers) > start + 20, "more answers")

    async def _ask(self, headers: dict[str, str]) -> None:
        async with httpx2.AsyncClient(headers=headers) as http:
            while True:
                try:
                    self.answers.append((await http.get(self._url)).status_code)
                except httpx2.HTTPError as error:
                    self.lost.append(repr(error))
                await asyncio.sleep(0)


def another(settings: Settings, database: Database, services: Services) -> RunningServer:
    """A server of the same deployment, which serves on until it is told again."""
    made = Services(Context(settings, database, services.deployment))
    return RunningServer(create_app(made), made.readiness, delay=3600)


@fault(
    name="server restarted under load",
    injected=(
        "Two servers behind a balancer, in the test's process, are replaced one after the other while clients ask."
    ),
    verdict="No request is lost or refused.",
)
async def test_a_rolling_restart_under_load_loses_no_request(
    settings: Settings, database: Database, services: Services
) -> None:
    async with Balancer() as balancer, contextlib.AsyncExitStack() as stack:
        first, second, third, fourth = [another(settings, database, services) for _ in range(4)]
        for server in (first, second):
            await stack.enter_async_context(server)
            balancer.ports.add(server.port)
        await wait_for(lambda: balancer.sends_to(first.port) and balancer.sends_to(second.port), "both are ready")
        load = Load(balancer.port)
        async with load.running():
            for old, new in ((first, third), (second, fourth)):
                await stack.enter_async_context(new)
                balancer.ports.add(new.port)
                await load.more()
                old.end()
                await wait_for(partial(balancer.leaves_out, old.port), "nothing new is sent to it")
                await load.more()
                old.end()
                await old.task
                balancer.ports.remove(old.port)
                await load.more()
    assert load.lost == []
    assert set(load.answers) == {200}


async def test_without_a_delay_it_ends_at_once(app: Application, services: Services) -> None:
    async with RunningServer(app, services.readiness, delay=0) as server:
        server.end()
        assert server.should_exit


async def test_told_twice_it_does_not_wait_for_the_delay(app: Application, services: Services) -> None:
    async with RunningServer(app, services.readiness, delay=3600) as server:
        server.end()
        assert services.readiness.ending
        assert not server.should_exit
        server.end()
        assert server.should_exit


async def test_during_the_delay_a_kept_connection_is_answered_once_more_and_closed(
    app: Application, services: Services
) -> None:
    async with RunningServer(app, services.readiness, delay=3600) as server, httpx2.AsyncClient() as http:
        url = f"http://127.0.0.1:{server.port}/api/v2/buildinfo"
        assert "connection" not in (await http.get(url)).headers
        server.end()
        assert (await http.get(url)).headers["connection"] == "close"
        assert (await http.get(url)).status_code == 200  # through a new one


async def test_an_idle_connection_is_closed_at_the_end(app: Application, services: Services) -> None:
    async with RunningServer(app, services.readiness, delay=0.01) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\nOK")
        server.end()
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()
