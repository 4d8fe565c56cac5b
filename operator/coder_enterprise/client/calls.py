"""What the groups of calls have in common: the transport, and how a name becomes a part of a path.

Used by `client.coder` and `client.people`.
"""

from __future__ import annotations

from urllib.parse import quote

from coder_enterprise.client.http import Transport


class Calls:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport


def segment(text: str) -> str:
    """One path segment; a name is never able to address another path."""
    # `.` and `..` mean other paths to the servers in between, and quote() leaves them as they are.
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")
