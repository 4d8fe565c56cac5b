"""What Flux fetches: archives of manifests, from an HTTP server on 127.0.0.1 that ends with the test."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from typing_extensions import override

Body = dict[str, Any]

ARCHIVE: Final = "application/gzip"


class Artifacts:
    """A context manager."""

    def __init__(self) -> None:
        self._archives: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._archives))
        self._thread = threading.Thread(target=self._server.serve_forever, name="artifacts")

    def __enter__(self) -> Artifacts:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def publish(self, files: Mapping[str, str]) -> Body:
        """What an ExternalArtifact's status.artifact says of it."""
        archive = _archive(files)
        digest = hashlib.sha256(archive).hexdigest()
        path = f"/{digest}.tar.gz"
        self._archives[path] = archive
        return {
            "url": f"http://127.0.0.1:{self._server.server_port}{path}",
            "path": path.removeprefix("/"),
            "revision": f"test@sha256:{digest}",
            "digest": f"sha256:{digest}",
            "lastUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "size": len(archive),
        }


def _archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _handler(archives: Mapping[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            archive = archives.get(self.path)
            self.send_response(200 if archive else 404)
            self.send_header("Content-Type", ARCHIVE)
            self.send_header("Content-Length", str(len(archive or b"")))
            self.end_headers()
            self.wfile.write(archive or b"")

        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
