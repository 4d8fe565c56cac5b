"""The cluster's DNS: answers for `<service>.<namespace>.svc.cluster.local` with the address of the Service.

Called by `node`, and asked by pods over UDP (RFC 1035). Everything else does not exist, as there is nothing outside.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Final

from typing_extensions import override

from tools.node.kubelet import DOMAIN

PORT: Final = 53
A: Final = 1
INTERNET: Final = 1
AUTHORITATIVE_ANSWER: Final = 0x8400
NAME_ERROR: Final = 3
NOT_IMPLEMENTED: Final = 4
TTL: Final = 1
"""Seconds. A Service may be made anew with another address."""
POINTER_TO_QUESTION: Final = 0xC00C
_HEADER: Final = struct.Struct("!6H")
_SUFFIX: Final = ["svc", *DOMAIN.split(".")]
Lookup = Callable[[str, str], str | None]
"""The address of a Service, by its name and namespace; None where there is none."""


class DNS:
    """Answers until the process ends."""

    def __init__(self, address: str, lookup: Lookup, port: int = PORT) -> None:
        class Handler(socketserver.BaseRequestHandler):
            @override
            def handle(self) -> None:
                query, socket = self.request
                socket.sendto(answer(query, lookup), self.client_address)

        self._server = socketserver.ThreadingUDPServer((address, port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="DNS", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answer(query: bytes, lookup: Lookup) -> bytes:
    """One message to another."""
    number, flags, questions, *_ = _HEADER.unpack_from(query)
    labels, end = _name(query, _HEADER.size)
    kind, network = struct.unpack_from("!2H", query, end)
    question = query[_HEADER.size : end + 4]
    recursion = flags & 0x0100  # asked for, and told back
    if questions != 1 or network != INTERNET:
        return _HEADER.pack(number, AUTHORITATIVE_ANSWER | recursion | NOT_IMPLEMENTED, 1, 0, 0, 0) + question
    address = lookup(*labels[:2]) if labels[2:] == _SUFFIX else None
    if address is None:
        return _HEADER.pack(number, AUTHORITATIVE_ANSWER | recursion | NAME_ERROR, 1, 0, 0, 0) + question
    if kind != A:  # such as AAAA: the name exists, with nothing of that kind
        return _HEADER.pack(number, AUTHORITATIVE_ANSWER | recursion, 1, 0, 0, 0) + question
    record = struct.pack("!3HIH", POINTER_TO_QUESTION, A, INTERNET, TTL, 4) + IPv4Address(address).packed
    return _HEADER.pack(number, AUTHORITATIVE_ANSWER | recursion, 1, 1, 0, 0) + question + record


def _name(message: bytes, start: int) -> tuple[list[str], int]:
    """The labels of a name, in small letters, and where it ends."""
    labels = []
    while length := message[start]:
        labels.append(message[start + 1 : start + 1 + length].decode("ascii", "replace").lower())
        start += 1 + length
    return labels, start + 1
