"""CoderGroup: a group of a Coder organization, and who is in it.

The rules of Coder behind it: members are changed by difference and re-adding one fails the whole request;
`Everyone` has its organization's id, and its members follow the organization; names are exact.
"""

from coder_enterprise.kinds.group.kind import GroupKind
from coder_enterprise.kinds.group.spec import EVERYONE, MAX_NAME, GroupSpec, UserReference

__all__ = ["EVERYONE", "MAX_NAME", "GroupKind", "GroupSpec", "UserReference"]
