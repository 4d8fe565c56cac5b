"""CoderUser: a person in Coder: who it is, whether they may log in, and what they may do.

The rules of Coder behind it: a person is their e-mail, which Coder never changes, and neither the login type; whoever
is deleted lives on under their id, unmarked, but not under their name; dormant is how Coder calls active people whom it
has not seen for long, or never. Old servers answer 500 to what the token's user may not do, so that is tried again like
any 500, ever later.
"""

from coder_enterprise.kinds.user.kind import UserKind
from coder_enterprise.kinds.user.spec import UserSpec

__all__ = ["UserKind", "UserSpec"]
