"""How a workspace proxy stands: by its health as Coder finds it."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.kinds.proxy.spec import MAX_MESSAGE, MAX_MESSAGES
from coder_enterprise.kinds.proxy.standing import REVISIT, REVISIT_NOT_READY
from tests.kinds.proxy.builders import KIND, RECORDED, URL, conditions, observed, proxy, report, resource, spec, verdict
from tests.support.manifests import workload
from tests.support.structural import problems

SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]


@pytest.mark.parametrize(
    ("status", "url", "ready", "reason", "registered", "healthy"),
    [
        ("ok", URL, True, "Applied", "True", "True"),
        ("unregistered", "", False, "NotRegistered", "False", "Unknown"),
        ("unknown", "", False, "NotRegistered", "False", "Unknown"),
        ("unknown", URL, False, "NotChecked", "True", "Unknown"),
        ("unregistered", URL, False, "NotChecked", "True", "Unknown"),
        ("unreachable", URL, False, "ProxyUnreachable", "True", "False"),
        ("unhealthy", URL, False, "ProxyUnhealthy", "True", "False"),
        ("haunted", URL, False, "ProxyUnhealthy", "True", "False"),
    ],
)
def test_readiness_is_what_coder_found(
    status: str, url: str, ready: bool, reason: str, registered: str, healthy: str
) -> None:
    seen = observed(proxy(status, url))
    assert verdict(seen) == (ready, reason)
    found = conditions(seen)
    assert (found["Registered"].status, found["Healthy"].status) == (registered, healthy)
    assert "WorkloadAvailable" not in found
    assert KIND.verdict(spec(), seen).dropped == ("WorkloadAvailable",)
    assert KIND.verdict(spec(), seen).revisit == (REVISIT if ready else REVISIT_NOT_READY)


@pytest.mark.parametrize("status", ["unknown", "unregistered"])
def test_a_server_that_was_just_started_changes_nothing(status: str) -> None:
    known = RECORDED | {"health": {"status": "ok", "since": "2026-01-01T00:00:00Z", "warnings": ["old"]}}
    seen = observed(proxy(status), resource(known))
    assert verdict(seen) == (True, "Applied")
    assert report(seen)["health"] == known["health"]


def test_the_errors_of_coder_are_in_the_message() -> None:
    seen = observed(proxy("unreachable", errors=["connection refused"]))
    assert "connection refused" in KIND.verdict(spec(), seen).message
    assert report(seen)["health"]["errors"] == ["connection refused"]


def test_warnings_leave_a_proxy_ready() -> None:
    seen = observed(proxy("ok", warnings=["another version"]))
    assert verdict(seen) == (True, "Applied")
    assert "another version" in conditions(seen)["Healthy"].message


def test_since_moves_only_with_the_status() -> None:
    health = {"status": "unreachable", "since": "2026-01-01T00:00:00Z"}
    for known in (RECORDED | {"health": health}, {"health": health}):
        assert report(observed(proxy("unreachable"), resource(known)))["health"]["since"] == health["since"]
        assert report(observed(proxy("unhealthy"), resource(known)))["health"]["since"] == "2026-03-01T12:00:00Z"


def test_errors_that_differ_only_by_a_port_of_the_moment_are_the_same() -> None:
    texts = [f"read tcp 10.0.0.1:{port}->10.0.0.2:3001: connection reset by peer" for port in (40001, 50002)]
    first, second = (report(observed(proxy("unreachable", errors=[text])))["health"]["errors"] for text in texts)
    assert first == second == ["read tcp 10.0.0.1->10.0.0.2:3001: connection reset by peer"]


TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=2000)


@given(
    status=st.sampled_from(["ok", "unreachable", "unhealthy", "unregistered", "unknown", "x" * 99]),
    found=st.lists(TEXT, max_size=MAX_MESSAGES + 2),
    text=TEXT,
)
def test_status_fits_its_schema_whatever_coder_says(status: str, found: list[str], text: str) -> None:
    seen = observed(proxy(status, text, errors=found, warnings=found, version=text, wildcard_hostname=text), resource())
    fields = {name: value for name, value in report(seen, workload=workload()).items() if value is not None}
    assert list(problems(SCHEMA["status"], fields)) == []
    assert all(len(item) <= MAX_MESSAGE for item in fields["health"].get("errors", ()))
