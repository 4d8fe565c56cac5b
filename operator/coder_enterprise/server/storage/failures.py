"""Why the database has not done what it was asked for, though nothing was wrong with the work itself.

Raised behind the seam, and by `actors` inside a transaction. `routes.answers` says what each of them is in HTTP.
"""

from __future__ import annotations

from coder_enterprise.server.refused import Refused


class Failure(Refused):
    pass


class Overload(Failure):
    """More work waits than can be done soon."""


class Outage(Failure):
    """It does not answer, or cannot be used now. What a write was about to do may be done or not."""


class Unstorable(Failure):
    """A value that no row can hold."""


class SessionEnded(Failure):
    """The session that the work was asked for with is over, or its user may not have one any more."""
