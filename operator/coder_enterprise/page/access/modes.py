"""The three ways in which the page learns who looks at it. For the command line, too: it imports nothing."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    LOCAL = "local"
    """Whoever reaches the loopback address of the process, and nobody else; they see what the operator sees."""
    KUBERNETES = "kubernetes"
    """Who shows a bearer token of this cluster, or has a session that was made from one."""
    PROXY = "proxy"
    """Whom a trusted proxy names in headers."""
