"""What the Kubernetes library takes of memory."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

LOADED: Final = """
import sys
import coder_enterprise.controller.manager
import kubernetes
print("before", "requests" in sys.modules)
print("used", kubernetes.config.load_kube_config.__name__)
print("after", "requests" in sys.modules)
"""


def test_the_synchronous_client_is_read_when_somebody_uses_it_and_not_before() -> None:
    told = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["before", "False", "used", "load_kube_config", "after", "True"]


IN_A_POD: Final = """
import sys
import coder_enterprise.cli.logs
import coder_enterprise.controller.manager
import coder_enterprise.page.server
print(*{"rich", "pygments", "kubernetes.aio.config.kube_config"} & sys.modules.keys())
"""


def test_an_operator_in_a_pod_loads_nothing_for_consoles_and_kubeconfigs() -> None:
    told = subprocess.run([sys.executable, "-c", IN_A_POD], check=True, capture_output=True, text=True).stdout
    assert told.split() == []
