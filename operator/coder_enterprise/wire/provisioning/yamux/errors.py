"""What may go wrong in a yamux session: some end it, some end a stream, some nothing."""

from __future__ import annotations

from typing import ClassVar


class YamuxError(Exception):
    """Something that the protocol does not allow, from either side."""


class SessionDead(YamuxError):
    """Nothing works any more, on any stream."""

    told: ClassVar[bool] = True
    """Whether the peer is told with a go away."""


class UnknownVersion(SessionDead):
    pass


class UnknownKind(SessionDead):
    pass


class UnknownStream(SessionDead):
    """A frame for a stream that nobody opened."""


class UnexpectedFrame(SessionDead):
    """A known stream opened or finished once more, or an id that is not the peer's to open."""


class WindowExceeded(SessionDead):
    """More data than the stream's window allows."""


class Oversized(SessionDead):
    """A length that no window allows."""


class StreamsExhausted(SessionDead):
    """All ids are used up."""

    told = False


class PeerFailed(SessionDead):
    """The peer went away with an error."""

    told = False


class StreamDead(YamuxError):
    """This stream does not take data any more; the others do."""


class Unavailable(YamuxError):
    """No stream can be opened: the peer goes away, or has too many to accept. Nothing is dead."""
