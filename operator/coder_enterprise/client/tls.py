"""TLS contexts of the HTTP clients: certificates in the forms that people have them, and one context per bundle.

Used by `client.http`. To load the system's certificates takes 150 ms and 1.7 MiB: so a context is made off the event
loop (`prepare`), and shared by all connections with the same bundle.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from typing import Final
from weakref import WeakValueDictionary

from coder_enterprise.client import errors

WHERE: Final = "spec.caBundle or spec.caBundleSecretRef"
NOT_SPOKEN: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
"""Reasons of OpenSSL for an answer that is no TLS."""
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----")
_CERTIFICATES: Final = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})

_contexts: Final[WeakValueDictionary[str, ssl.SSLContext]] = WeakValueDictionary()
"""By the digest of the bundle, for as long as a client has them."""


async def prepare(ca_bundle: str) -> ssl.SSLContext:
    """As `context`, without holding up the event loop."""
    known = _contexts.get(_digest(ca_bundle))
    return await asyncio.to_thread(context, ca_bundle) if known is None else known


def context(ca_bundle: str) -> ssl.SSLContext:
    """Trusts the certificates of `ca_bundle`, which may hold text around them, or with "" the system's.

    Raises `errors.TLSFailed` when it holds none. What is no text in it, is there as surrogates (PEP 383).
    """
    digest = _digest(ca_bundle)
    known = _contexts.get(digest)
    if known is not None:
        return known
    made = ssl.create_default_context(cadata=_certificates(ca_bundle) if ca_bundle else None)
    return _contexts.setdefault(digest, made)


def _digest(ca_bundle: str) -> str:
    return hashlib.sha256(ca_bundle.encode(errors="surrogateescape")).hexdigest()


def _certificates(ca_bundle: str) -> str | bytes:
    """PEM without what is around it, or DER; checked."""
    raw = ca_bundle.encode(errors="surrogateescape")
    found = raw if raw.startswith(b"\x30\x82") else _blocks(raw)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (ssl.SSLError, ValueError):
        raise errors.TLSFailed(f"the CA bundle holds a certificate that cannot be read; check {WHERE}") from None
    return found


def _blocks(raw: bytes) -> str:
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    # Latin-1 has a character for each byte: comments may be in any encoding, PEM itself is ASCII.
    text = raw.decode("utf-16", errors="replace") if wide else raw.decode("latin-1")
    blocks = [match[0] for match in _BLOCK.finditer(text) if match[1] in _CERTIFICATES]
    if not blocks:
        kinds = sorted({match[1].lower() for match in _BLOCK.finditer(text)})
        what = f"it holds a {kinds[0]}" if kinds else "it has no -----BEGIN CERTIFICATE-----"
        raise errors.TLSFailed(f"the CA bundle holds no PEM or DER certificate: {what}; check {WHERE}")
    return "\n".join(blocks) + "\n"
