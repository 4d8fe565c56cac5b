"""What happens in a yamux session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a stream: `accept`, or `reset`, it."""

    stream: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The peer accepted a stream of ours."""

    stream: int


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; say `consumed` when they are used."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Writable:
    """The peer's window for a stream has grown."""

    stream: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The peer sends nothing more on a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The peer has ended a stream, both ways."""

    stream: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer answered a ping."""

    number: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The peer accepts no more streams; those that are open go on."""


Event: TypeAlias = Opened | Accepted | Data | Writable | Finished | Reset | Pong | GoneAway
