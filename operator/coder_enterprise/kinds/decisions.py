"""The decisions that are chains of policies, each with the question that it answers: what the docs list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from coder_enterprise.kinds.license.validity import VALIDITY
from coder_enterprise.kinds.machinery.causes import CAUSES
from coder_enterprise.kinds.machinery.ownership import ADOPTION, OURS
from coder_enterprise.kinds.machinery.policies import Chain
from coder_enterprise.kinds.proxy.standing import STANDING
from coder_enterprise.kinds.proxy.token import NEW_TOKEN


@dataclass(frozen=True)
class Decision:
    question: str
    chain: Chain[Any, Any]
    otherwise: str
    """What holds when no policy has an answer; "" where one always has."""


DECISIONS: Final = (
    Decision("Is what exists in Coder this object's?", OURS, "It is somebody else's, and the next decision is asked."),
    Decision("May the object have what is not its own?", ADOPTION, ""),
    Decision("Why does a workspace proxy get a new token?", NEW_TOKEN, "The present one stays."),
    Decision("How does a workspace proxy stand?", STANDING, "It is Ready."),
    Decision("How valid is a licence?", VALIDITY, "Valid."),
    Decision("Why did the operator change something in Coder?", CAUSES, "Drift: somebody else changed it in Coder."),
)
