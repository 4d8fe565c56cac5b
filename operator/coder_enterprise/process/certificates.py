"""A server's certificate: read at the start, and anew when its files have changed, as cert-manager changes them.

Made by the API server and by the operator's page; OpenSSL asks it at each handshake, which is when it looks at the
files. A pair that cannot be used is told of once, and the one before stays. Connections keep the certificate that they
began with.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import structlog

_State: TypeAlias = tuple[tuple[int, ...] | None, ...]
"""Of the files as links lead to them: it differs when one of them does."""

ALPN: Final = ["http/1.1"]

log = structlog.get_logger(__name__)


class CertificateError(ValueError):
    """The message names the setting and the file, and never shows what it holds."""


class CertificateFiles(NamedTuple):
    """In the form PEM."""

    certificate: Path
    """With those that lead to whom clients trust."""
    key: Path


class Clients(NamedTuple):
    """Whose certificates clients may show; they need not."""

    setting: str
    authority: Path
    """In the form PEM."""


class ServerCertificate:
    """`context` is for everything that listens, for as long as the server runs."""

    def __init__(self, files: CertificateFiles, certificate: str, key: str, clients: Clients | None = None) -> None:
        """`certificate` and `key` are what the settings are called that name the files. Raises `CertificateError`."""
        self._files = files
        self._settings = certificate, key
        self._clients = clients
        self._state = self._state_now()
        self.context = self._current = self._load()
        self.context.sni_callback = self._choose

    def _choose(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called by OpenSSL in each handshake, also of a client that names no host."""
        self._refresh()
        connection.context = self._current

    def _refresh(self) -> None:
        state = self._state_now()
        if state == self._state:
            return
        # What changes while it is read differs from this state, and is read again.
        self._state = state
        try:
            self._current = self._load()
        except CertificateError as error:
            log.warning("the new certificate cannot be used, and the one before stays", cause=str(error))
        else:
            log.info("the certificate was read anew", file=str(self._files.certificate))

    def _state_now(self) -> _State:
        authority = (self._clients.authority,) if self._clients else ()
        return tuple(_identity(file) for file in (*self._files, *authority))

    def _load(self) -> ssl.SSLContext:
        """Raises `CertificateError`."""
        context = _load(self._files, *self._settings)
        if self._clients is not None:
            _accept(context, self._clients)
        return context


def _load(files: CertificateFiles, certificate: str, key: str) -> ssl.SSLContext:
    """Raises `CertificateError`."""
    _require(certificate, files.certificate, "BEGIN CERTIFICATE", "it holds no certificate")
    _require(key, files.key, "PRIVATE KEY", "it holds no private key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except _Encrypted:
        raise CertificateError(f"{key}: {files.key} is encrypted; write the key without a password") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(
                f"{key}: {files.key} is not the key of the certificate in {files.certificate}"
            ) from None
        both = f"{certificate}, {key}: {files.certificate} and {files.key}"
        raise CertificateError(f"{both} cannot be used: {_cause(error)}") from None
    except OSError as error:
        raise CertificateError(f"{certificate}, {key}: cannot be read: {error.strerror or error}") from None
    return context


def _accept(context: ssl.SSLContext, clients: Clients) -> None:
    """Ask clients for a certificate of that authority. Raises `CertificateError`."""
    _require(clients.setting, clients.authority, "BEGIN CERTIFICATE", "it holds no certificate")
    try:
        context.load_verify_locations(clients.authority)
    except ssl.SSLError as error:
        raise CertificateError(f"{clients.setting}: {clients.authority} cannot be used: {_cause(error)}") from None
    context.verify_mode = ssl.CERT_OPTIONAL


def _cause(error: ssl.SSLError) -> str:
    return (error.reason or "unknown").lower().replace("_", " ")


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    """Otherwise OpenSSL would ask whoever sits at the terminal."""
    raise _Encrypted


def _require(setting: str, file: Path, mark: str, otherwise: str) -> None:
    """OpenSSL says neither which file it means, nor what is wrong with it."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CertificateError(f"{setting}: {file} cannot be read: {error.strerror or error}") from None
    if mark.encode() not in content:
        raise CertificateError(f"{setting}: {file} cannot be used: {otherwise} in the form PEM")


def _identity(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
