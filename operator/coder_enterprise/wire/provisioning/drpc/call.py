"""One DRPC call on one stream of bytes, from either side: which packet may come when.

What a message means is its caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError

from coder_enterprise.wire.provisioning.drpc.errors import (
    CallOver,
    Malformed,
    OutOfOrder,
    TooLarge,
    UnknownKind,
)
from coder_enterprise.wire.provisioning.drpc.packets import (
    MAX_MESSAGE,
    Kind,
    Packet,
    PacketReader,
)
from coder_enterprise.wire.provisioning.messages_pb2 import InvokeMetadata

UNIMPLEMENTED: Final = 12
"""The code of the error that says that a method is unknown; errors without a code have 0."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """The client calls a method, such as `/provisionerd.ProvisionerDaemon/UpdateJob`."""

    path: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    data: bytes


@dataclass(frozen=True, slots=True)
class SendClosed:
    """The peer sends no more messages."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer has ended the call."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The peer does not want the call's result any more."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer ended the call with an error."""

    code: int
    text: str


Event: TypeAlias = Invoked | Message | SendClosed | Closed | Cancelled | Failed


class Call:
    """One side of one call; what it returns is to be sent to the peer, in that order."""

    def __init__(self) -> None:
        self._reader = PacketReader()
        self._stream = 0
        self._sent = 0
        self._metadata: Mapping[str, str] = {}
        self._send_closed = False
        self._peer_send_closed = False
        self._over = False

    @property
    def over(self) -> bool:
        """Nothing more is to be expected or sent."""
        return self._over

    # What comes in.

    @property
    def held(self) -> int:
        """Bytes that came and are no event yet."""
        return self._reader.held

    def receive(self, data: bytes) -> None:
        if not self._over:
            self._reader.receive(data)

    def next_event(self) -> Event | None:
        """What happened next, or None when more bytes are needed or the call is over. Raises `DRPCError`."""
        while not self._over and (packet := self._reader.next_packet()) is not None:
            if event := self._read(packet):
                return event
        return None

    # What goes out.

    def invoke(self, path: str, metadata: Mapping[str, str] | None = None) -> bytes:
        """Call a method, as the client; before anything else."""
        assert not self._stream, "a call is invoked once"
        self._stream = 1
        sent = b""
        if metadata:
            sent = self._write(Kind.INVOKE_METADATA, InvokeMetadata(pairs=metadata).SerializeToString())
        return sent + self._write(Kind.INVOKE, path.encode())

    def message(self, data: bytes) -> bytes:
        """Raises `TooLarge`, and `CallOver` when nothing can be sent any more."""
        if len(data) > MAX_MESSAGE:
            raise TooLarge(f"a message of {len(data)} bytes; at most {MAX_MESSAGE} are allowed")
        return self._write(Kind.MESSAGE, data)

    def close_send(self) -> bytes:
        """Send no more messages; nothing when that is so already."""
        if self._over or self._send_closed:
            return b""
        sent = self._write(Kind.CLOSE_SEND)
        self._send_closed = True
        self._over = self._peer_send_closed
        return sent

    def close(self) -> bytes:
        """End the call."""
        return self._end(Kind.CLOSE)

    def cancel(self) -> bytes:
        """Tell the peer that the result is not wanted any more."""
        return self._end(Kind.CANCEL, control=True)

    def error(self, text: str, code: int = 0) -> bytes:
        """End the call with an error."""
        return self._end(Kind.ERROR, code.to_bytes(8, "big") + text.encode())

    # How it works.

    def _write(self, kind: Kind, data: bytes = b"", control: bool = False) -> bytes:
        if self._over or self._send_closed:
            raise CallOver("the call is over, nothing can be sent")
        return self._packet(kind, data, control)

    def _packet(self, kind: Kind, data: bytes, control: bool) -> bytes:
        self._sent += 1
        packet = Packet(kind, self._stream, self._sent, data, control)
        return b"".join(frame.encode() for frame in packet.frames())

    def _end(self, kind: Kind, data: bytes = b"", control: bool = False) -> bytes:
        if self._over:
            return b""
        self._over = True
        return self._packet(kind, data, control)

    def _read(self, packet: Packet) -> Event | None:
        if not self._stream:
            return self._read_invocation(packet)
        if packet.stream != self._stream:
            raise OutOfOrder("a second call on the same stream")
        if packet.kind == Kind.MESSAGE:
            if self._peer_send_closed:
                raise OutOfOrder("a message after the last one")
            return Message(packet.data)
        if packet.kind in (Kind.INVOKE, Kind.INVOKE_METADATA):
            raise OutOfOrder("a call that is made already is invoked again")
        return self._read_end(packet)

    def _read_invocation(self, packet: Packet) -> Event | None:
        if packet.kind == Kind.INVOKE_METADATA:
            self._metadata = decode_metadata(packet.data)
            return None
        if packet.kind == Kind.INVOKE:
            self._stream = packet.stream
            return Invoked(_text(packet.data, "the method's path"), self._metadata)
        if packet.control:
            return None
        raise OutOfOrder(f"a packet of kind {packet.kind} before the call is invoked")

    def _read_end(self, packet: Packet) -> Event | None:
        if packet.kind == Kind.CLOSE_SEND:
            self._peer_send_closed = True
            self._over = self._send_closed
            return SendClosed()
        if packet.kind not in (Kind.ERROR, Kind.CANCEL, Kind.CLOSE):
            if packet.control:
                return None
            raise UnknownKind(f"packets of kind {packet.kind} are unknown")
        self._over = True
        if packet.kind == Kind.ERROR:
            return decode_error(packet.data)
        return Cancelled() if packet.kind == Kind.CANCEL else Closed()


def decode_error(data: bytes) -> Failed:
    """A code of eight bytes, most significant first, and a text."""
    if len(data) < 8:
        raise Malformed("an error of less than eight bytes")
    return Failed(int.from_bytes(data[:8], "big"), data[8:].decode(errors="replace"))


def decode_metadata(data: bytes) -> Mapping[str, str]:
    try:
        return dict(InvokeMetadata.FromString(data).pairs)
    except DecodeError:
        raise Malformed("the call's metadata cannot be read") from None


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8") from None
