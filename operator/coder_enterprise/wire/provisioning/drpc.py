"""DRPC (storj.io/drpc) without input and output: one call on one stream of bytes.

`session` puts each call on a yamux stream of its own. `PacketReader` puts packets together from frames; `Call` knows
which packet may come when, on both sides. What a message means is its caller's.

A frame is a byte (bit 0: the packet's last frame, bits 1 to 6: its kind, bit 7: ignore it when unknown), then the
stream, the message and the length as varints, then the data. Ids only grow; a frame with a new id drops the unfinished
packet before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError

from coder_enterprise.wire.provisioning.messages_pb2 import InvokeMetadata

MAX_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes of one packet, and so of one frame; Go's default."""
FRAME_LIMIT: Final = 64 * 1024
MAX_ID: Final = 2**64 - 1
UNIMPLEMENTED: Final = 12
"""The code of the error that says that a method is unknown; errors without a code have 0."""


class Kind(IntEnum):
    INVOKE = 1
    MESSAGE = 2
    ERROR = 3
    CANCEL = 4
    CLOSE = 5
    CLOSE_SEND = 6
    INVOKE_METADATA = 7


class DRPCError(Exception):
    """The call is over; its stream of bytes is of no further use."""


class Malformed(DRPCError):
    """Bytes that are no frame, or a packet whose content cannot be read."""


class TooLarge(DRPCError):
    """A packet over `MAX_MESSAGE` bytes, from either side."""


class OutOfOrder(DRPCError):
    """An id that does not grow, a packet that changes its kind, or a packet that cannot come now."""


class UnknownKind(DRPCError):
    """A packet of an unknown kind that must not be ignored."""


class CallOver(DRPCError):
    """Nothing can be sent any more: we closed, or the peer ended the call."""


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    stream: int
    message: int
    data: bytes = b""
    done: bool = True
    control: bool = False

    def encode(self) -> bytes:
        head = int(self.done) | self.kind << 1 | int(self.control) << 7
        numbers = b"".join(map(encode_varint, (self.stream, self.message, len(self.data))))
        return bytes([head]) + numbers + self.data


@dataclass(frozen=True, slots=True)
class Packet:
    kind: int
    stream: int
    message: int
    data: bytes = b""
    control: bool = False

    def frames(self) -> Iterator[Frame]:
        """The packet in frames of at most `FRAME_LIMIT` bytes of data; at least one."""
        last = max(len(self.data) - 1, 0) // FRAME_LIMIT
        for number in range(last + 1):
            data = self.data[number * FRAME_LIMIT : (number + 1) * FRAME_LIMIT]
            yield Frame(self.kind, self.stream, self.message, data, number == last, self.control)


def encode_varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def decode_varint(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """The number at `start` and where it ends; None when there is more to come. Raises `Malformed` over 64 bits."""
    number = 0
    for position in range(start, min(start + 10, len(data))):
        number |= (data[position] & 0x7F) << 7 * (position - start)
        if data[position] < 0x80:
            if number > MAX_ID:
                break
            return number, position + 1
    else:
        if len(data) - start < 10:
            return None
    raise Malformed("a number of more than 64 bits")


class PacketReader:
    """Frames in any pieces, put together to packets. Holds less than two packets of `MAX_MESSAGE` bytes."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._expected = (1, 1)
        self._partial: Frame | None = None
        self._data = bytearray()
        self._control = False

    @property
    def held(self) -> int:
        """Bytes of a packet that is not whole."""
        return len(self._received) + len(self._data)

    def receive(self, data: bytes) -> None:
        self._received += data

    def next_packet(self) -> Packet | None:
        """The next whole packet, or None when more bytes are needed. Raises `DRPCError`."""
        while (frame := self._next_frame()) is not None:
            if packet := self._add(frame):
                return packet
        return None

    def _next_frame(self) -> Frame | None:
        position, numbers = 1, []
        for _ in range(3):
            decoded = decode_varint(self._received, position)
            if decoded is None:
                return None
            numbers.append(decoded[0])
            position = decoded[1]
        stream, message, length = numbers
        if length > MAX_MESSAGE:
            raise TooLarge(f"a frame of {length} bytes; at most {MAX_MESSAGE} are allowed")
        end = position + length
        if len(self._received) < end:
            return None
        head, data = self._received[0], bytes(self._received[position:end])
        del self._received[:end]
        return Frame(head >> 1 & 0x3F, stream, message, data, bool(head & 1), bool(head & 0x80))

    def _add(self, frame: Frame) -> Packet | None:
        """The packet that this frame completes."""
        identity = (frame.stream, frame.message)
        if identity < self._expected:
            raise OutOfOrder(f"message {frame.message} of stream {frame.stream} comes after {self._expected}")
        if self._partial is None or identity != self._expected:
            self._partial, self._control = frame, False
            self._data.clear()
        elif frame.kind != self._partial.kind:
            raise OutOfOrder(f"a packet of kind {self._partial.kind} goes on as kind {frame.kind}")
        self._expected = identity
        self._control = self._control or frame.control
        self._data += frame.data
        if len(self._data) > MAX_MESSAGE:
            raise TooLarge(f"a packet of more than {MAX_MESSAGE} bytes")
        if not frame.done:
            return None
        self._partial, self._expected = None, (frame.stream, frame.message + 1)
        data = bytes(self._data)
        self._data.clear()
        return Packet(frame.kind, frame.stream, frame.message, data, self._control)


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
