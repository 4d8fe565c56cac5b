"""docs/reference/reasons.md: the reasons with what they mean, from the texts that the commands show as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from coder_enterprise.kinds.machinery.explanations import SECTIONS, Section

_INTRODUCTION: Final = """\
# Reasons

Made by `make generate` from `operator/coder_enterprise/kinds/machinery/explanations.py`.

Every condition in `status.conditions` has a `reason`, one of the words below, and a `message` that says the same about
this very object. `kubectl get` shows the reason of `Ready`; `coder-enterprise status` shows what is not ready, and what
to do about it.

    kubectl get codergroups
    kubectl describe codergroup platform
    coder-enterprise status codergroup/platform

Conditions:

| condition | on | says |
| --- | --- | --- |
| Ready | all kinds | `True`: Coder has what the object declares, or shows what was asked for |
| Reconciling | all kinds, only while true | the operator is at it or will try again by itself; has the reason \
of Ready |
| Stalled | all kinds, only while true | a person must act; has the reason of Ready |
| Synced | all kinds but CoderDeployment | whether Coder has what spec declares |
| Valid | CoderLicense | whether the licence gives what it is for; every change for the worse is also an event |
| GroupsVisible | CoderTemplateACL | whether the server tells which groups have a role on the template |
| Reachable, Authenticated, Licensed, ReplicasHealthy, ProvisionersAvailable | CoderDeployment | one thing each about \
the deployment |
| Registered, Healthy | CoderWorkspaceProxy | whether a proxy has registered with the token, and how Coder finds it |
| WorkloadAvailable | CoderWorkspaceProxy, only with `spec.workload` | whether the Deployment that runs the proxy is \
available |

"Objects" below are those of all kinds but CoderDeployment. Where an object is not ready, Synced is `Unknown` for the
same reason, or `False` if the difference is known.
"""
_HEAD: Final = "| reason | where | what it means | what to do |\n| --- | --- | --- | --- |"


def reasons() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *map(_section, SECTIONS)])


def _section(section: Section) -> str:
    blocks = [f"## {section.title}", section.before, "\n".join([_HEAD, *_rows(section)]), section.after]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _rows(section: Section) -> Iterator[str]:
    for reason, text in section.reasons.items():
        yield f"| `{reason}` | {text.where} | {text.meaning} | {text.advice} |"
