"""CoderLicense: a licence of a Coder deployment, kept in a Secret.

The rules of Coder behind it: a licence is a JWT, of which Coder shows the claims and never the text; the same text
twice is an error; its uuid (the claim `jti`) may repeat, so that a licence is recognised by all of its claims. Several
may be in force at once. Whether one is genuine, only Coder can tell: nothing is verified here.

Every moment that depends on the clock is in the observation. `daysLeft` changes once a day, and only then is an object
visited and written that is at rest otherwise.
"""

from coder_enterprise.kinds.license.kind import LicenseKind
from coder_enterprise.kinds.license.spec import LicenseSpec

__all__ = ["LicenseKind", "LicenseSpec"]
