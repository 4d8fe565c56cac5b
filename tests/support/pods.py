"""Pods whose ports are forwarded, as an API server with a kubelet behind it does; `make e2e-node` has real ones."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Any, Final

from aiohttp import WSMsgType, web

from tests.support.kubernetes import Body

PROTOCOL: Final = "v4.channel.k8s.io"
LABELS: Final = {"app.kubernetes.io/component": "operator"}


def operator_pod(name: str, *arguments: str, namespace: str = "coder", ready: bool = True) -> Body:
    """As the chart makes it."""
    told = ["operator", "--health-address=[::]:8081", "--lease-name=coder-enterprise-operator", *arguments]
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
        "spec": {"containers": [{"name": "operator", "args": told}]},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


class Pods:
    """An asynchronous context manager; what is forwarded goes to the port `target` of this machine."""

    def __init__(self, target: int, *pods: Body) -> None:
        self.target = target
        self.pods = list(pods)
        self.forbidden = False
        """All namespaces at once."""
        self.forwarded: list[tuple[str, str]] = []
        """Pods and ports."""
        self.url = ""

    async def __aenter__(self) -> Pods:
        app = web.Application()
        app.router.add_get("/api/v1/pods", self._list)
        app.router.add_get("/api/v1/namespaces/{namespace}/pods", self._list)
        app.router.add_get("/api/v1/namespaces/{namespace}/pods/{name}/portforward", self._forward)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        space = request.match_info.get("namespace")
        if space is None and self.forbidden:
            return web.json_response({"reason": "Forbidden", "message": "no"}, status=403)
        found = [pod for pod in self.pods if space in (None, pod["metadata"]["namespace"])]
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": found})

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        name, port = request.match_info["name"], request.query["ports"]
        if name not in [pod["metadata"]["name"] for pod in self.pods]:
            return web.Response(status=404)
        self.forwarded.append((name, port))
        socket = web.WebSocketResponse(protocols=(PROTOCOL,))
        await socket.prepare(request)
        for channel in (0, 1):
            await socket.send_bytes(bytes([channel]) + struct.pack("<H", int(port)))
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            await socket.send_bytes(b"\x01nothing listens there")
            await socket.close()
            return socket
        await self._relay(socket, reader, writer)
        return socket

    async def _relay(self, socket: web.WebSocketResponse, reader: Any, writer: asyncio.StreamWriter) -> None:
        async def down() -> None:
            while data := await reader.read(1000):
                await socket.send_bytes(b"\x00" + data)
            await socket.close()

        task = asyncio.create_task(down())
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                writer.write(message.data[1:])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
