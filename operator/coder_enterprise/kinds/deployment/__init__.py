"""CoderDeployment: how to reach one Coder, and how that Coder is.

The page a person looks at first. Its probe asks the server about itself and turns each answer, also the bad ones,
into a condition; it never writes to Coder.
"""

from coder_enterprise.kinds.deployment.kind import DeploymentKind
from coder_enterprise.kinds.deployment.spec import DeploymentSpec
from coder_enterprise.kinds.deployment.status import FIGURES

__all__ = ["FIGURES", "DeploymentKind", "DeploymentSpec"]
