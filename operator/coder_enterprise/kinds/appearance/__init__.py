"""CoderAppearance: what a deployment looks like to its users: its name, its logo, and its banners.

There is one of it per deployment, so that one object owns it. The rules of Coder behind it: an update replaces
everything; a server shows defaults, whatever is stored, while the feature is not licensed, and below 2.8 already in the
licence's grace period; from 2.12 there may be several banners, before only one. What cannot be read is neither drift
nor written over.

Banners that begin and end are planned from the time in the observation, and the object is visited when one does.
"""

from coder_enterprise.kinds.appearance.kind import AppearanceKind
from coder_enterprise.kinds.appearance.spec import AppearanceSpec

__all__ = ["AppearanceKind", "AppearanceSpec"]
