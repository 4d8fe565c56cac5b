"""The server's certificate, as its settings name it. Made by `run`; what it does is in `process.certificates`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from coder_enterprise.process import certificates
from coder_enterprise.process.certificates import CertificateError, CertificateFiles
from coder_enterprise.server.settings import SettingsError

CERTIFICATE: Final = "CODER_TLS_CERT_FILE"
KEY: Final = "CODER_TLS_KEY_FILE"


class ServerCertificate(certificates.ServerCertificate):
    def __init__(self, files: CertificateFiles) -> None:
        """Raises `SettingsError`, which names the file and never shows what it holds."""
        try:
            super().__init__(files, CERTIFICATE, KEY)
        except CertificateError as error:
            raise SettingsError(str(error)) from None


def parse_tls(enabled: bool, certificate: Path | None, key: Path | None) -> CertificateFiles | None:
    """Nothing is plain HTTP. Raises `SettingsError`."""
    if not enabled:
        return None
    if certificate is None or key is None:
        missing = [name for name, file in ((CERTIFICATE, certificate), (KEY, key)) if file is None]
        raise SettingsError(f"{', '.join(missing)}: needed with CODER_TLS_ENABLE: name a file in the form PEM")
    return CertificateFiles(certificate, key)
