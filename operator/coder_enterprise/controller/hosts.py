"""Which hosts a CoderDeployment may name: those that the operator was started with, or any.

Asked by the deployment reconciler before a Secret is read. What a name resolves to, `client.addresses` judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from coder_enterprise.client.addresses import is_refused
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason


class AllowedHosts:
    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """Host names, with * for any part of one; none is any host."""
        self._patterns = tuple(pattern.lower() for pattern in patterns)

    def require(self, url: str) -> None:
        """Raises `KindError` for a host that is not allowed."""
        host = _host(url)
        if self.names(url):
            return
        if is_refused(host):
            raise stalled(
                Reason.HOST_NOT_ALLOWED,
                f"spec.url: {host} is a link-local or metadata address, where no Coder is; if one is, start the "
                f"operator with --allowed-host {host}",
            )
        if self._patterns and not any(fnmatchcase(host, pattern) for pattern in self._patterns):
            raise stalled(
                Reason.HOST_NOT_ALLOWED,
                f"spec.url: the operator may not connect to {host}; its option --allowed-host says where to",
            )

    def names(self, url: str) -> bool:
        """Whether the very host is allowed, and not by a pattern: then it may be anywhere."""
        return _host(url) in self._patterns


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
