"""The server's certificate: read at the start, and anew when its files have changed, as cert-manager changes them.

Made by `run`; OpenSSL asks it at each handshake, which is when it looks at the files. A pair that cannot be used is
told of once, and the one before stays. Connections keep the certificate that they began with.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from coder_enterprise.server.settings import CertificateFiles, SettingsError

CERTIFICATE: Final = "CODER_TLS_CERT_FILE"
KEY: Final = "CODER_TLS_KEY_FILE"

_State: TypeAlias = tuple[tuple[int, ...] | None, ...]
"""Of the files as links lead to them: it differs when one of them does."""

log = structlog.get_logger(__name__)


class ServerCertificate:
    """`context` is for everything that listens, for as long as the server runs."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises `SettingsError`, which names the file and never shows what it holds."""
        self._files = files
        self._state = _state_of(files)
        self.context = self._current = _load(files)
        self.context.sni_callback = self._choose

    def _choose(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called by OpenSSL in each handshake, also of a client that names no host."""
        self._refresh()
        connection.context = self._current

    def _refresh(self) -> None:
        state = _state_of(self._files)
        if state == self._state:
            return
        # What changes while it is read differs from this state, and is read again.
        self._state = state
        try:
            self._current = _load(self._files)
        except SettingsError as error:
            log.warning("the new certificate cannot be used, and the one before stays", cause=str(error))
        else:
            log.info("the certificate was read anew", file=str(self._files.certificate))


def parse_tls(enabled: bool, certificate: Path | None, key: Path | None) -> CertificateFiles | None:
    """Nothing is plain HTTP. Raises `SettingsError`."""
    if not enabled:
        return None
    if certificate is None or key is None:
        missing = [name for name, file in ((CERTIFICATE, certificate), (KEY, key)) if file is None]
        raise SettingsError(f"{', '.join(missing)}: needed with CODER_TLS_ENABLE: name a file in the form PEM")
    return CertificateFiles(certificate, key)


def _load(files: CertificateFiles) -> ssl.SSLContext:
    """Raises `SettingsError`."""
    _require(CERTIFICATE, files.certificate, "BEGIN CERTIFICATE", "it holds no certificate")
    _require(KEY, files.key, "PRIVATE KEY", "it holds no private key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except _Encrypted:
        raise SettingsError(f"{KEY}: {files.key} is encrypted; write the key without a password") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(
                f"{KEY}: {files.key} is not the key of the certificate in {files.certificate}"
            ) from None
        cause = (error.reason or "unknown").lower().replace("_", " ")
        raise SettingsError(
            f"{CERTIFICATE}, {KEY}: {files.certificate} and {files.key} cannot be used: {cause}"
        ) from None
    except OSError as error:
        raise SettingsError(f"{CERTIFICATE}, {KEY}: cannot be read: {error.strerror or error}") from None
    return context


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
        raise SettingsError(f"{setting}: {file} cannot be read: {error.strerror or error}") from None
    if mark.encode() not in content:
        raise SettingsError(f"{setting}: {file} cannot be used: {otherwise} in the form PEM")


def _state_of(files: CertificateFiles) -> _State:
    return tuple(_identity(file) for file in files)


def _identity(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
