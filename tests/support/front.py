"""Stands in front of a real server, where a test needs a fault that the server itself does not have.

It passes TCP on (with TLS, if it is given a certificate), answers HTML like a login page, or refuses connections. It
stays on one port, so that the fault can come and go without touching a CoderDeployment.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.loop_thread import LoopThread
from tests.support.relay import relay
from tools.processes import free_ports

HTML: Final = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class Mode(StrEnum):
    PASS = "pass"
    HTML = "html"
    DROP = "drop"
    """Accepts, and closes without an answer."""


class Front:
    """A context manager; `url` is what a CoderDeployment names."""

    def __init__(self, target: str, certificate: Certificate | None = None) -> None:
        self.mode = Mode.PASS
        self.port = free_ports(1)[0]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self._target = target.removeprefix("http://")
        self._context = certificate.server_context() if certificate else None
        self._thread = LoopThread("front")
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Front:
        self._thread.start()
        self._server = self._thread.run(asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context))
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.run(self._close())
        self._thread.stop()

    def switch(self, mode: Mode) -> None:
        """From now on; what is connected is cut."""
        self.mode = mode
        self._thread.run(self._cut())

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode is Mode.PASS:
            await self._pass_on(reader, writer)
        elif self.mode is Mode.HTML:
            await reader.readuntil(b"\r\n\r\n")
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(HTML) + HTML)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._target.rpartition(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        await relay((reader, writer), (there_reader, there_writer))


class Certificate:
    """Self-signed, for 127.0.0.1 and these names."""

    def __init__(self, folder: Path, *names: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, names)]
                ),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self._chain = folder / f"certificate-{certificate.serial_number}.pem"
        self._chain.write_bytes(
            self.pem.encode()
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain)
        return context
