"""Packets of DRPC, in frames.

A frame is a byte (bit 0: the packet's last frame, bits 1 to 6: its kind, bit 7: ignore it when unknown), then the
stream, the message and the length as varints, then the data. Ids only grow; a frame with a new id drops the unfinished
packet before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from coder_enterprise.wire.provisioning.drpc.errors import Malformed, OutOfOrder, TooLarge

MAX_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes of one packet, and so of one frame; Go's default."""
FRAME_LIMIT: Final = 64 * 1024
MAX_ID: Final = 2**64 - 1


class Kind(IntEnum):
    INVOKE = 1
    MESSAGE = 2
    ERROR = 3
    CANCEL = 4
    CLOSE = 5
    CLOSE_SEND = 6
    INVOKE_METADATA = 7


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
