"""CoderWorkspaceProxy: a workspace proxy in Coder, its token in a Secret, and, if wanted, the Deployment that runs it.

Coder shows a token once, in its answer to the call that makes it. So the operator can never read one back, and must
know by itself whether the Secret holds the present one. It keeps the first digits of the token's SHA-256 in
`status.tokenFingerprint`: 256 random bits cannot be guessed from them. The Secret is good when the two agree. A new
token takes four steps, and a crash between any two of them ends in one more new token, never in a dead one that looks
alive:

1. the fingerprint is taken out of status (`intent`): from here on the Secret is not trusted;
2. the Secret is written as it is, or without a token: what cannot be written is found out while the old token lives;
3. Coder makes the token, and the Secret is written with it;
4. status gets the fingerprint, together with all else that this visit found.

The Deployment comes in the visit after that: whatever Kubernetes has against it, step 4 is done. Its pods roll because
the fingerprint is in their template. A server that shows no token (one with the documented shapes and nothing more)
leaves the fingerprint "": none is asked for again until a person does, and a token that a person puts into the Secret
is taken as it is.

Other rules of Coder behind it: names are unique without regard to case; a proxy is deleted softly, and then found by
its id only; a change must carry id, name, display name and icon, all of them; the list has no order; health is
Coder's own finding, about once a minute, and read for all proxies at once.
"""

from coder_enterprise.kinds.proxy.kind import ProxyKind
from coder_enterprise.kinds.proxy.spec import ProxySpec

__all__ = ["ProxyKind", "ProxySpec"]
