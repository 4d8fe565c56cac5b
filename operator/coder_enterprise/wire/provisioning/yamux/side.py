"""Yamux without input and output: bytes in, events out; commands in, bytes out.

`server.rpc` runs it over a websocket, in the server as the yamux server, in a daemon as the client. It owns the state
and the windows of the streams. It keeps no received data: whoever takes a `Data` event says `consumed` when it is used,
and so never holds more than the window of each stream. It knows no time: pings and timeouts are not its own.

The peer is a Go program, so where the specification is silent, hashicorp/yamux decides: an id that was used is not an
error but ignored, what comes for a stream that was closed here still counts, a second FIN ends the session.
"""

from __future__ import annotations

from collections import deque

from coder_enterprise.wire.provisioning.yamux import errors, events
from coder_enterprise.wire.provisioning.yamux.frames import (
    ACK,
    FIN,
    FRAME_LIMIT,
    HEADER,
    INITIAL_WINDOW,
    MAX_WINDOW,
    RST,
    SYN,
    VERSION,
    Kind,
    Reason,
    Role,
)
from coder_enterprise.wire.provisioning.yamux.streams import Payload, Stream, Streams


class Side:
    """One side of a yamux session."""

    def __init__(self, role: Role) -> None:
        self._received = bytearray()
        self._output = bytearray()
        self._events: deque[events.Event] = deque()
        self._streams = Streams(role)
        self._payload: Payload | None = None
        self._pings: set[int] = set()
        self._next_ping = 0
        self._leaving = False
        self._peer_leaving = False
        self._error: errors.SessionDead | None = None

    # What comes in.

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; `next_event` says what they mean."""
        if self._error is None:
            self._received += data

    def next_event(self) -> events.Event | None:
        """What happened next, or None when more bytes are needed. Raises `SessionDead`, then and ever after."""
        while not self._events:
            self._check()
            try:
                if not self._advance():
                    return None
            except errors.SessionDead as error:
                self._die(error)
                raise
        return self._events.popleft()

    # What goes out.

    @property
    def pending(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._output)

    def data_to_send(self, limit: int) -> bytes:
        """Take at most `limit` bytes that wait to be sent."""
        data = bytes(self._output[:limit])
        del self._output[:limit]
        return data

    @property
    def can_open(self) -> bool:
        return not self._peer_leaving and self._streams.can_open

    def open(self) -> int:
        """Open a stream. Raises `Unavailable` and `SessionDead`."""
        self._check()
        if not self.can_open:
            raise errors.Unavailable(
                "the peer goes away" if self._peer_leaving else "the peer has too many streams to accept"
            )
        try:
            stream = self._streams.open()
        except errors.StreamsExhausted as error:
            self._die(error)
            raise
        self._write(Kind.WINDOW_UPDATE, SYN, stream.id, 0)
        return stream.id

    def accept(self, stream_id: int) -> None:
        """Accept a stream that the peer opened."""
        stream = self._streams.get(stream_id)
        if stream is not None and self._error is None and (flags := self._due(stream)):
            self._write(Kind.WINDOW_UPDATE, flags, stream_id, 0)

    def window(self, stream_id: int) -> int:
        """Bytes that the peer takes on a stream; 0 when it takes none any more."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None or stream.finished else stream.send_window

    def send(self, stream_id: int, data: bytes | memoryview) -> int:
        """Send as much of `data` as fits into the window and one frame; the number of bytes.

        Raises `StreamDead` when the stream was finished, reset or never open, and `SessionDead`.
        """
        self._check()
        stream = self._streams.get(stream_id)
        if stream is None or stream.finished:
            raise errors.StreamDead(f"stream {stream_id} is closed")
        size = min(len(data), stream.send_window, FRAME_LIMIT)
        if size:
            stream.send_window -= size
            self._write(Kind.DATA, self._due(stream), stream_id, size)
            self._output += data[:size]
        return size

    def consumed(self, stream_id: int, size: int) -> None:
        """`size` bytes of a stream's data are used: the peer may send as many more.

        It is told when half of the window is free, as Go does.
        """
        stream = self._streams.get(stream_id)
        if stream is None or stream.peer_finished or self._error is not None:
            return
        stream.credit += size
        assert stream.receive_window + stream.credit <= INITIAL_WINDOW, "more was consumed than received"
        if stream.credit >= INITIAL_WINDOW // 2:
            self._write(Kind.WINDOW_UPDATE, self._due(stream), stream_id, stream.credit)
            stream.receive_window += stream.credit
            stream.credit = 0

    def finish(self, stream_id: int) -> None:
        """Send nothing more on a stream; what the peer sends still arrives."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.finished or self._error is not None:
            return
        self._write(Kind.WINDOW_UPDATE, self._due(stream) | FIN, stream_id, 0)
        stream.finished = True
        self._streams.forget_if_over(stream)

    def reset(self, stream_id: int) -> None:
        """End a stream both ways, at once."""
        if self._error is None and self._streams.remove(stream_id):
            self._write(Kind.WINDOW_UPDATE, RST, stream_id, 0)

    def ping(self) -> int:
        """Ask for a `Pong` with the number that is returned. Raises `SessionDead`."""
        self._check()
        number = self._next_ping
        self._next_ping = (number + 1) % 2**32
        self._pings.add(number)
        self._write(Kind.PING, SYN, 0, number)
        return number

    def go_away(self) -> None:
        """Refuse streams from now on; those that are open go on."""
        if self._error is None and not self._leaving:
            self._leaving = True
            self._write(Kind.GO_AWAY, 0, 0, Reason.NORMAL)

    # How it works.

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _die(self, error: errors.SessionDead) -> None:
        self._error = error
        self._received.clear()
        if error.told:
            self._write(Kind.GO_AWAY, 0, 0, Reason.PROTOCOL_ERROR)

    def _write(self, kind: Kind, flags: int, stream_id: int, length: int) -> None:
        self._output += HEADER.pack(VERSION, kind, flags, stream_id, length)

    def _due(self, stream: Stream) -> int:
        """The ACK that the first frame on a stream of the peer's carries."""
        if stream.ours or stream.accepted:
            return 0
        stream.accepted = True
        return ACK

    def _advance(self) -> bool:
        """Read a frame's head, or a piece of its data; false when more bytes are needed."""
        if self._payload is not None:
            return self._read_payload(self._payload)
        if len(self._received) < HEADER.size:
            return False
        version, kind, flags, stream_id, length = HEADER.unpack_from(self._received)
        del self._received[: HEADER.size]
        if version != VERSION:
            raise errors.UnknownVersion(f"the peer speaks version {version} of yamux, not {VERSION}")
        if kind == Kind.DATA:
            self._read_data(flags, stream_id, length)
        elif kind == Kind.WINDOW_UPDATE:
            self._read_window_update(flags, stream_id, length)
        elif kind == Kind.PING:
            self._read_ping(flags, length)
        elif kind == Kind.GO_AWAY:
            self._read_go_away(length)
        else:
            raise errors.UnknownKind(f"frames of type {kind} are unknown")
        return True

    def _read_data(self, flags: int, stream_id: int, length: int) -> None:
        stream = self._addressed(flags, stream_id)
        window = INITIAL_WINDOW if stream is None else stream.receive_window
        if length > INITIAL_WINDOW:
            raise errors.Oversized(f"{length} bytes in one frame are more than any window")
        if length > window:
            raise errors.WindowExceeded(f"{length} bytes on stream {stream_id}, whose window is {window}")
        if stream is not None:
            stream.receive_window -= length
            if stream.peer_finished or flags & RST:
                stream = None  # Go's Close may overtake a Write of another goroutine
        self._payload = Payload(stream, length, last=bool(flags & FIN))
        if length == 0:
            self._read_payload(self._payload)

    def _read_payload(self, payload: Payload) -> bool:
        data = bytes(self._received[: payload.remaining])
        if payload.remaining and not data:
            return False
        del self._received[: payload.remaining]
        payload.remaining -= len(data)
        stream = payload.stream
        if stream is not None and self._streams.get(stream.id) is not stream:
            stream = None  # it was reset here in between
        if stream is not None and data:
            self._events.append(events.Data(stream.id, data))
        if payload.remaining == 0:
            self._payload = None
            if stream is not None and payload.last:
                self._peer_finishes(stream)
        return True

    def _read_window_update(self, flags: int, stream_id: int, length: int) -> None:
        stream = self._addressed(flags, stream_id)
        if stream is None:
            return
        stream.send_window += length
        if stream.send_window > MAX_WINDOW:
            raise errors.Oversized(f"the window of stream {stream_id} is over {MAX_WINDOW} bytes")
        if length and not stream.finished:
            self._events.append(events.Writable(stream_id))
        if flags & FIN and not flags & RST:
            self._peer_finishes(stream)

    def _read_ping(self, flags: int, number: int) -> None:
        if flags & SYN:
            self._write(Kind.PING, ACK, 0, number)
        elif number in self._pings:
            self._pings.remove(number)
            self._events.append(events.Pong(number))

    def _read_go_away(self, reason: int) -> None:
        if reason != Reason.NORMAL:
            raise errors.PeerFailed(f"the peer went away with reason {reason}")
        self._peer_leaving = True
        self._events.append(events.GoneAway())

    def _addressed(self, flags: int, stream_id: int) -> Stream | None:
        """The stream of a frame, after its SYN, ACK and RST; None when the frame is for one that is gone."""
        if flags & SYN:
            self._peer_opens(stream_id)
        stream = self._streams.get(stream_id)
        if stream is None:
            if not self._streams.was_open(stream_id):
                raise errors.UnknownStream(f"stream {stream_id} was never opened")
            return None
        if flags & FIN and stream.peer_finished:
            raise errors.UnexpectedFrame(f"stream {stream_id} was finished already")
        if flags & ACK and stream.ours and not stream.accepted:
            stream.accepted = True
            self._events.append(events.Accepted(stream_id))
        if flags & RST:
            self._streams.remove(stream_id)
            self._events.append(events.Reset(stream_id))
        return stream

    def _peer_opens(self, stream_id: int) -> None:
        if self._streams.take(stream_id, refused=self._leaving):
            self._events.append(events.Opened(stream_id))
        else:
            self._write(Kind.WINDOW_UPDATE, RST, stream_id, 0)

    def _peer_finishes(self, stream: Stream) -> None:
        stream.peer_finished = True
        self._events.append(events.Finished(stream.id))
        self._streams.forget_if_over(stream)
