"""The streams of a yamux session: which are open, which ids were used, and who opened how many."""

from __future__ import annotations

from dataclasses import dataclass

from coder_enterprise.wire.provisioning.yamux.errors import StreamsExhausted, UnexpectedFrame
from coder_enterprise.wire.provisioning.yamux.frames import (
    ACCEPT_BACKLOG,
    INITIAL_WINDOW,
    MAX_STREAM_ID,
    MAX_STREAMS,
    Role,
)


@dataclass(slots=True, eq=False)
class Stream:
    id: int
    ours: bool
    accepted: bool = False
    finished: bool = False
    peer_finished: bool = False
    receive_window: int = INITIAL_WINDOW
    send_window: int = INITIAL_WINDOW
    credit: int = 0


@dataclass(slots=True)
class Payload:
    """What is still to come of a data frame; without a stream it is dropped."""

    stream: Stream | None
    remaining: int
    last: bool


class Streams:
    """Of one side, which opens every other id."""

    def __init__(self, role: Role) -> None:
        self._open: dict[int, Stream] = {}
        self._next_id = int(role)
        self._newest = 0

    def get(self, stream_id: int) -> Stream | None:
        return self._open.get(stream_id)

    @property
    def can_open(self) -> bool:
        """The peer has not too many of ours to accept."""
        return sum(stream.ours and not stream.accepted for stream in self._open.values()) < ACCEPT_BACKLOG

    def open(self) -> Stream:
        """One of ours. Raises `StreamsExhausted`."""
        if self._next_id > MAX_STREAM_ID:
            raise StreamsExhausted("all stream ids are used up; open another session")
        stream = self._open[self._next_id] = Stream(self._next_id, ours=True)
        self._next_id += 2
        return stream

    def take(self, stream_id: int, *, refused: bool) -> bool:
        """One that the peer opens, unless it is refused or there are too many. Raises `UnexpectedFrame`.

        Go's ids need not come in order: two goroutines may open streams at the same time.
        """
        if stream_id == 0 or self._is_ours(stream_id) or stream_id in self._open:
            raise UnexpectedFrame(f"stream {stream_id} is not the peer's to open")
        self._newest = max(self._newest, stream_id)
        theirs = [stream for stream in self._open.values() if not stream.ours]
        waiting = sum(not stream.accepted for stream in theirs)
        if refused or waiting >= ACCEPT_BACKLOG or len(theirs) >= MAX_STREAMS:
            return False
        self._open[stream_id] = Stream(stream_id, ours=False)
        return True

    def remove(self, stream_id: int) -> bool:
        """Whether it was there."""
        return self._open.pop(stream_id, None) is not None

    def forget_if_over(self, stream: Stream) -> None:
        if stream.finished and stream.peer_finished:
            del self._open[stream.id]

    def was_open(self, stream_id: int) -> bool:
        if self._is_ours(stream_id):
            return 0 < stream_id < self._next_id
        return 0 < stream_id <= self._newest

    def _is_ours(self, stream_id: int) -> bool:
        return stream_id % 2 == self._next_id % 2
