"""Frames of yamux: their head, their kinds and flags, and how much of what there may be."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

VERSION: Final = 0
HEADER: Final = Struct(">BBHII")
INITIAL_WINDOW: Final = 256 * 1024
MAX_WINDOW: Final = 2**32 - 1
MAX_STREAM_ID: Final = 2**32 - 1
FRAME_LIMIT: Final = 64 * 1024
"""Bytes of data in one frame that we send, so that streams take turns; the peer may use its whole window."""
ACCEPT_BACKLOG: Final = 64
"""Streams that were opened and not accepted yet, each way. Go's is 256."""
MAX_STREAMS: Final = 128
"""Streams that the peer may have open; what it can make us hold on them, who runs it limits."""


class Role(IntEnum):
    """Which side we are; the value is the first id of the streams we open."""

    CLIENT = 1
    SERVER = 2


class Kind(IntEnum):
    DATA = 0
    WINDOW_UPDATE = 1
    PING = 2
    GO_AWAY = 3


SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8


class Reason(IntEnum):
    """Why a side goes away."""

    NORMAL = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
