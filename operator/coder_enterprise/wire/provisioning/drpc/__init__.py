"""DRPC (storj.io/drpc) without input and output: one call on one stream of bytes.

`server.rpc` puts each call on a yamux stream of its own. `packets` puts packets together from frames; `call` knows
which may come when, on both sides.
"""

from __future__ import annotations

from coder_enterprise.wire.provisioning.drpc.call import (
    UNIMPLEMENTED,
    Call,
    Cancelled,
    Closed,
    Event,
    Failed,
    Invoked,
    Message,
    SendClosed,
    decode_error,
    decode_metadata,
)
from coder_enterprise.wire.provisioning.drpc.errors import (
    CallOver,
    DRPCError,
    Malformed,
    OutOfOrder,
    TooLarge,
    UnknownKind,
)
from coder_enterprise.wire.provisioning.drpc.packets import (
    FRAME_LIMIT,
    MAX_ID,
    MAX_MESSAGE,
    Frame,
    Kind,
    Packet,
    PacketReader,
    decode_varint,
    encode_varint,
)

__all__ = [
    "FRAME_LIMIT",
    "MAX_ID",
    "MAX_MESSAGE",
    "UNIMPLEMENTED",
    "Call",
    "CallOver",
    "Cancelled",
    "Closed",
    "DRPCError",
    "Event",
    "Failed",
    "Frame",
    "Invoked",
    "Kind",
    "Malformed",
    "Message",
    "OutOfOrder",
    "Packet",
    "PacketReader",
    "SendClosed",
    "TooLarge",
    "UnknownKind",
    "decode_error",
    "decode_metadata",
    "decode_varint",
    "encode_varint",
]
