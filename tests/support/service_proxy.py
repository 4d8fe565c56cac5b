"""An HTTP proxy on loopback that knows the Services of a cluster by their names, for `tests.support.kubelet`."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from typing_extensions import override

Resolve = Callable[[str, int], str | None]
TIMEOUT: Final = 30
_HOP: Final = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "content-length"}


class ServiceProxy:
    """`resolve` is given host and port, and says where on this machine that is."""

    def __init__(self, resolve: Resolve) -> None:
        handler = type("Handler", (_Handler,), {"resolve": staticmethod(resolve)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="service proxy")
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    resolve: Resolve

    def _forward(self) -> None:
        parts = urlsplit(self.path)
        target = self.resolve(parts.hostname or "", parts.port or 80)
        if target is None:
            self.send_error(502, "nothing ready behind that name")
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        connection = http.client.HTTPConnection(target, timeout=TIMEOUT)
        try:
            path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request(self.command, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.send_error(502, "no answer")
            return
        finally:
            connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - as the standard library wants them

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests print what they need."""
