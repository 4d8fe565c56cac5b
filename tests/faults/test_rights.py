"""The rights of the operator's service account are taken from it while it works, and given back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.generate.rbac import NAME, NAMESPACE
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

RULES: Final = Path(__file__).parents[2] / "deploy" / "overlays" / "namespaced" / "rbac.yaml"
STATUS: Final = "- codergroups/status\n"


def allow(namespace: Namespace, *, but: str = "") -> None:
    """What the committed rules say, but for that line."""
    rules = RULES.read_text().replace(f"namespace: {NAMESPACE}\n", f"namespace: {namespace.name}\n")
    assert but in rules
    namespace.plane.kubectl("apply", "-f", "-", input=rules.replace(but, "- nothing\n") if but else rules)


@pytest.fixture
def operator(namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Under its service account."""
    allow(namespace)
    kubeconfig = namespace.plane.service_account_kubeconfig(namespace.name, NAME)
    options = ["--lease-namespace", namespace.name, "--namespace", namespace.name]
    with OperatorProcess(kubeconfig, tmp_path / "operator.log", *options) as process:
        yield process
        print(process.text()[-4000:])


@pytest.fixture
def applied(namespace: Namespace, server: CoderServer, operator: OperatorProcess) -> Namespace:
    """With one group that Coder has."""
    namespace.apply(secret(token=server.token), deployment(server.url), group("platform"))
    namespace.wait_for("CoderGroup", "platform", "Applied")
    return namespace


@fault(
    name="right to write status revoked",
    injected="RBAC takes the right to write status of groups from the operator, one is edited, and it is given back.",
    verdict="The operator asks ever more seldom and names what it is refused; then status says what was applied.",
)
def test_a_right_that_is_taken_is_named_and_its_return_noticed(
    applied: Namespace, operator: OperatorProcess, coder: CoderAPI
) -> None:
    allow(applied, but=STATUS)
    wait_until(lambda: not may_write(applied), "the right is gone")
    applied.apply(group("platform", quotaAllowance=3), group("another"))
    wait_until(lambda: coder.group("platform")["quota_allowance"] == 3, "Coder has the edit")
    wait_until(lambda: operator.text().count("codergroups/status") >= 3, "it was refused again")
    assert 'cannot patch resource \\"codergroups/status\\"' in operator.text()
    allow(applied)
    for name in ("platform", "another"):
        applied.wait_for("CoderGroup", name, "Applied", timeout=60)
    assert operator.process.exit_code is None


def may_write(namespace: Namespace) -> bool:
    account = f"--as=system:serviceaccount:{namespace.name}:{NAME}"
    asked = ["auth", "can-i", "patch", "codergroups.enterprise.coder.com", "--subresource=status", account]
    return namespace.plane.kubectl(*asked, "-n", namespace.name, check=False).stdout.strip() == "yes"


@fault(
    name="all rights revoked",
    injected="RBAC takes all rights from the operator, an object is edited, and they are given back.",
    verdict="The operator ends within its Lease, waits when it is started anew, and applies the edit when it may.",
)
def test_without_any_rights_it_ends_and_its_successor_waits(
    applied: Namespace, operator: OperatorProcess, coder: CoderAPI
) -> None:
    applied.plane.kubectl("delete", "rolebinding", "--all", "-n", applied.name)
    assert operator.process.wait(30) == 1
    operator.close()
    ended = operator.log.stat().st_size
    operator.start(wait=False)
    applied.apply(group("platform", quotaAllowance=3))
    wait_until(lambda: operator.text(ended).count("lease not renewed") >= 2, "it waits")
    allow(applied)
    applied.wait_for("CoderGroup", "platform", "Applied", timeout=60)
    assert coder.group("platform")["quota_allowance"] == 3
