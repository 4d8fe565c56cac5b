"""By what the operator's own Leases, events and Secret are known: it writes them, and the commands read them."""

from __future__ import annotations

from typing import Final

from coder_enterprise.kinds.machinery.resource import GROUP

OPERATOR_LABEL: Final = f"{GROUP}/operator"
"""On all Leases of replicas that share the work: the name that they were given."""
DEPLOYMENT: Final = f"{GROUP}/deployment"
"""Annotation of the Lease of a deployment: namespace/name. A replica's own has none."""
SCOPE: Final = f"{GROUP}/scope"
"""Annotation of a replica's Lease: the namespaces that it watches; "" is all."""
REPORTER: Final = f"{GROUP}/operator"
"""The reportingController of the operator's events."""
CLAIMS: Final = "coder-enterprise-operator-claims"
"""The Secret, beside the Leases, that holds the key of its claims for all replicas; the operator makes it."""
