"""Coder's access URL where it is no field of an object: judged as the rules of `spec.url` judge it.

Called by the commands, for CODER_URL and `--url`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from coder_enterprise.kinds.deployment.spec import MAX_URL, NO_CREDENTIALS, NO_QUERY, NO_URL


def url_fault(text: str) -> str:
    """Why Coder cannot be there; "" when it can. What it says never shows it, for it may hold a password."""
    if "@" in text:
        return NO_CREDENTIALS
    if "?" in text or "#" in text:
        return NO_QUERY
    return "" if len(text) <= MAX_URL and _is_usable(text) else NO_URL


def _is_usable(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and text.isprintable() and " " not in text
