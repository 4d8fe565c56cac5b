"""What may go wrong in a DRPC call."""

from __future__ import annotations


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
