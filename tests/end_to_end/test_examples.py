"""All examples together, in any order: they converge by themselves, show no secret, and then are quiet."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.support.kubernetes import Namespace
from tests.support.manifests import Body
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer, license_for_tests
from tools.wsproxy_process import WorkspaceProxyProcess

EXAMPLES: Final = Path(__file__).parents[2] / "deploy" / "examples"
NEEDS_NODES: Final = "proxies-with-workload.yaml"
SCIM_KEY: Final = "canary-of-scim-0815"
KINDS: Final = (
    "CoderDeployment",
    "CoderGroup",
    "CoderUser",
    "CoderTemplateACL",
    "CoderAppearance",
    "CoderLicense",
    "CoderWorkspaceProxy",
)
TOKEN_SECRET: Final = "sydney-token"


@pytest.fixture(params=["documented", "codersdk"])
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    """Without a licence, which is one of the examples."""
    settings = {"CODER_SCIM_AUTH_HEADER": SCIM_KEY, "CODER_PROXY_HEALTH_INTERVAL": "1s"}
    with CoderServer(licensed=False, profile=request.param, **settings) as process:
        yield process


def examples(replacements: dict[str, str]) -> list[Body]:
    texts = [path.read_text() for path in sorted(EXAMPLES.glob("*.yaml")) if path.name != NEEDS_NODES]
    text = "\n---\n".join(texts)
    for placeholder, real in replacements.items():
        assert placeholder in text
        text = text.replace(placeholder, real)
    return [body for body in yaml.safe_load_all(text) if body]


def not_ready(namespace: Namespace) -> dict[str, str]:
    """The reasons of all that are not."""
    found = {}
    for kind in KINDS:
        for body in namespace.all(kind):
            name = body["metadata"]["name"]
            ready = namespace.condition(kind, name)
            current = ready.get("observedGeneration") == body["metadata"]["generation"]
            if ready.get("status") != "True" or not current:
                found[f"{kind} {name}"] = ready.get("reason", "")
    return found


def token_of_the_proxy(namespace: Namespace) -> str:
    """ "" while there is none."""
    secret = namespace.find("Secret", TOKEN_SECRET) or {}
    return base64.b64decode(secret.get("data", {}).get("CODER_PROXY_SESSION_TOKEN", "")).decode()


def versions(namespace: Namespace) -> dict[str, str]:
    bodies = [body for kind in KINDS for body in namespace.all(kind)]
    return {body["metadata"]["uid"]: body["metadata"]["resourceVersion"] for body in bodies}


def reads(operator: OperatorProcess) -> float:
    """How often the groups were listed."""
    lines = (line for line in operator.metrics().splitlines() if "external_requests_total" in line)
    return sum(float(line.rpartition(" ")[2]) for line in lines if "groups.list" in line)


@pytest.mark.parametrize("seed", [1, 2])
def test_all_examples_converge_in_any_order_show_no_secret_and_are_quiet(
    namespace: Namespace,
    server: CoderServer,
    coder: CoderAPI,
    operator: OperatorProcess,
    tmp_path: Path,
    seed: int,
) -> None:
    for name in ("gpu-workstation", "docker"):
        coder.create_template(name)
    coder.create_user("zoe")
    license_text = license_for_tests()
    bodies = examples(
        {
            "https://coder.example.com": server.url,
            "paste-the-session-token-here": server.token,
            "paste-the-scim-key-here": SCIM_KEY,
            "paste-the-licence-here": license_text,
        }
    )
    random.Random(seed).shuffle(bodies)
    for body in bodies:
        namespace.apply(body)
    proxy_token = wait_until(lambda: token_of_the_proxy(namespace), "the proxy has its token", timeout=60)
    with WorkspaceProxyProcess(server.url, proxy_token, tmp_path / "proxy.log"):
        wait_until(lambda: not not_ready(namespace), "everything is Ready", timeout=90)
        shown = str([namespace.all(kind) for kind in (*KINDS, "Event")]) + operator.text() + operator.metrics()
        for secret in (server.token, SCIM_KEY, license_text, proxy_token, proxy_token.partition(":")[2]):
            assert secret not in shown
        start = reads(operator)
        wait_until(lambda: reads(operator) > start, "what was still moving has settled", timeout=30)
        before, changes = versions(namespace), coder.audit_count()
        start = reads(operator)
        wait_until(lambda: reads(operator) >= start + 2, "two more resyncs", timeout=60)
        assert versions(namespace) == before
        assert coder.audit_count() == changes
