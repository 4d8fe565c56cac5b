"""The server's own TLS: what cannot be used is said at the start, and what changes is taken without one."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import Receive, Scope, Send
from structlog.testing import LogCapture

from coder_enterprise.process.certificates import CertificateFiles
from coder_enterprise.server import connections, handshakes, serving
from coder_enterprise.server.services.readiness import Readiness
from coder_enterprise.server.settings import SettingsError
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.tls import ServerCertificate, parse_tls
from tests.server.test_serving import RunningServer
from tests.support.waiting import wait_for

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8


class Issued:
    """A certificate of its own making, and its key."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder(subject, subject, self._key.public_key(), x509.random_serial_number())
        lasting = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        self.certificate = lasting.sign(self._key, hashes.SHA256()).public_bytes(PEM)
        self.key = self._key.private_bytes(PEM, PKCS8, serialization.NoEncryption())
        self.encrypted_key = self._key.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"secret"))


class Mount:
    """A folder as the kubelet mounts a Secret: names that lead through one link, which is replaced at a change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0
        self.files = CertificateFiles(folder / "tls.crt", folder / "tls.key")
        for file in self.files:
            file.symlink_to(Path("..data") / file.name)

    def put(self, certificate: bytes, key: bytes) -> None:
        self._versions += 1
        version = self._folder / f"..{self._versions}"
        version.mkdir()
        for file, content in zip(self.files, (certificate, key), strict=True):
            (version / file.name).write_bytes(content)
        link = self._folder / "..new"
        link.symlink_to(version.name)
        link.rename(self._folder / "..data")

    def put_issued(self, issued: Issued) -> None:
        self.put(issued.certificate, issued.key)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


def any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def shown(port: int, name: str | None = None) -> bytes:
    """The certificate that a new client gets; without a name, it sends none."""
    host = {"server_hostname": name} if name else {}
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=any_certificate(), **host)  # type: ignore[arg-type]
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await gone(writer)
    return ssl.DER_cert_to_PEM_cert(der).encode()


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


@pytest.fixture(scope="module")
def first() -> Issued:
    return Issued("first")


@pytest.fixture(scope="module")
def second() -> Issued:
    return Issued("second")


@pytest.fixture
def mount(tmp_path: Path, first: Issued) -> Mount:
    made = Mount(tmp_path)
    made.put_issued(first)
    return made


@pytest.fixture
async def server(mount: Mount, database: Database) -> AsyncIterator[RunningServer]:
    async with RunningServer(answer, Readiness(database), certificate=ServerCertificate(mount.files)) as running:
        yield running


@pytest.fixture
def log() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(**before)


async def test_it_speaks_https(server: RunningServer) -> None:
    async with httpx2.AsyncClient(verify=any_certificate()) as http:
        assert (await http.get(f"https://127.0.0.1:{server.port}/")).text == "https"


@pytest.mark.parametrize("name", [None, "coder.example.com"])
async def test_a_new_certificate_is_shown_to_the_next_client(
    server: RunningServer, mount: Mount, first: Issued, second: Issued, name: str | None
) -> None:
    assert await shown(server.port, name) == first.certificate
    mount.put_issued(second)
    assert await shown(server.port, name) == second.certificate


async def test_a_connection_outlives_the_certificate_that_it_began_with(
    server: RunningServer, mount: Mount, second: Issued
) -> None:
    async with httpx2.AsyncClient(verify=any_certificate()) as http:
        url = f"https://127.0.0.1:{server.port}/"
        await http.get(url)
        mount.put_issued(second)
        await shown(server.port)
        assert (await http.get(url)).text == "https"


async def test_a_broken_pair_is_told_of_once_without_the_key_and_the_one_before_stays(
    server: RunningServer, mount: Mount, first: Issued, second: Issued, log: LogCapture
) -> None:
    mount.put(second.certificate, first.key)
    for _ in range(3):
        assert await shown(server.port) == first.certificate
    (warning,) = log.entries
    assert warning["log_level"] == "warning"
    assert "is not the key of the certificate" in warning["cause"]
    assert not any(line and line in str(warning) for line in first.key.decode().splitlines())
    mount.put_issued(second)
    assert await shown(server.port) == second.certificate


async def test_files_that_go_away_leave_the_certificate_that_was_read(
    server: RunningServer, mount: Mount, first: Issued
) -> None:
    mount.files.certificate.unlink()
    assert await shown(server.port) == first.certificate


async def test_tls_1_1_is_refused(server: RunningServer) -> None:
    context = any_certificate()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", server.port, ssl=context)


async def test_who_does_not_finish_the_handshake_is_cut_off(
    mount: Mount, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(handshakes.TIMEOUTS, "ssl_handshake_timeout", 0.05)
    async with RunningServer(answer, Readiness(database), certificate=ServerCertificate(mount.files)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_those_who_do_not_begin_the_handshake_make_room(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the process would have no files left for others."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(handshakes, "SPARE", 1)
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(4)]
    async with httpx2.AsyncClient(verify=any_certificate()) as http:
        assert (await http.get(f"https://127.0.0.1:{server.port}/")).text == "https"
        async with asyncio.timeout(5):  # long before they are cut off for being slow
            for reader, _ in silent[:3]:
                assert await reader.read() == b""
    for _, writer in silent:
        writer.close()


async def test_those_who_do_not_begin_the_handshake_do_not_hold_up_the_end(mount: Mount, database: Database) -> None:
    async with RunningServer(answer, Readiness(database), certificate=ServerCertificate(mount.files)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        server.should_exit = True
        async with asyncio.timeout(5):
            await server.task
            assert await reader.read() == b""
        writer.close()


async def test_an_idle_client_does_not_hold_up_the_end(
    mount: Mount, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not read, and so does not answer that the server closes."""
    monkeypatch.setattr(serving, "DRAIN_TIMEOUT", 3600)
    monkeypatch.setattr(connections, "GOODBYE_TIMEOUT", 0.01)
    async with RunningServer(answer, Readiness(database), certificate=ServerCertificate(mount.files)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=any_certificate())
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        server.should_exit = True
        async with asyncio.timeout(20):
            await server.task
        await gone(writer)


async def test_idle_clients_of_tls_make_room_at_once(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    opened = [await asyncio.open_connection("127.0.0.1", server.port, ssl=any_certificate()) for _ in range(3)]
    for _, writer in opened:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
    await wait_for(lambda: len(server.server_state.connections) == 1, "one is left")
    for _, writer in opened:
        await gone(writer)


def test_without_tls_no_file_is_needed(tmp_path: Path) -> None:
    assert parse_tls(False, tmp_path / "none", None) is None


@pytest.mark.parametrize(
    ("certificate", "key", "named"),
    [
        (None, None, "CODER_TLS_CERT_FILE, CODER_TLS_KEY_FILE: needed"),
        (None, Path("tls.key"), "CODER_TLS_CERT_FILE: needed"),
        (Path("tls.crt"), None, "CODER_TLS_KEY_FILE: needed"),
    ],
)
def test_tls_without_a_file_is_refused(certificate: Path | None, key: Path | None, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        parse_tls(True, certificate, key)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_file_that_is_missing_is_named(mount: Mount, missing: int) -> None:
    mount.files[missing].unlink()
    setting = ("CODER_TLS_CERT_FILE", "CODER_TLS_KEY_FILE")[missing]
    with pytest.raises(SettingsError, match=rf"^{setting}: .*{mount.files[missing].name} cannot be read: No such file"):
        ServerCertificate(mount.files)


BROKEN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
BROKEN_KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        (b"", None, "CODER_TLS_CERT_FILE: .*it holds no certificate"),
        (None, b"secret-content", "CODER_TLS_KEY_FILE: .*it holds no private key"),
        (BROKEN_CERTIFICATE, None, "CODER_TLS_CERT_FILE, CODER_TLS_KEY_FILE: .*cannot be used: "),
        (None, BROKEN_KEY, "CODER_TLS_CERT_FILE, CODER_TLS_KEY_FILE: .*cannot be used: "),
        (None, Issued("another").key, "CODER_TLS_KEY_FILE: .*is not the key of the certificate"),
        (None, Issued("another").encrypted_key, "CODER_TLS_KEY_FILE: .*is encrypted"),
    ],
)
def test_a_pair_that_cannot_be_used_is_refused_in_words(
    mount: Mount, first: Issued, certificate: bytes | None, key: bytes | None, said: str
) -> None:
    mount.put(first.certificate if certificate is None else certificate, first.key if key is None else key)
    with pytest.raises(SettingsError, match=said) as refused:
        ServerCertificate(mount.files)
    assert "secret-content" not in str(refused.value)
