"""The server that the demo, the end-to-end tests and the benchmarks start."""

from __future__ import annotations

from typing import Any

import httpx2

from tools.server_process import CoderServer, license_for_tests


def entitlements(server: CoderServer) -> dict[str, Any]:
    answer: dict[str, Any] = httpx2.get(f"{server.url}/api/v2/entitlements").json()
    return answer


def test_a_server_has_a_licence_for_everything_also_after_a_crash() -> None:
    with CoderServer() as server:
        first = entitlements(server)
        assert first["features"]["template_rbac"]["enabled"]
        assert first["warnings"] == first["errors"] == []
        server.kill()
        server.start()
        assert entitlements(server)["features"] == first["features"]


def test_an_unlicensed_server_takes_a_licence_of_its_own_making() -> None:
    with CoderServer(licensed=False) as server:
        assert not entitlements(server)["has_license"]
        headers = {"Coder-Session-Token": server.token}
        body = {"license": license_for_tests(trial=True)}
        assert httpx2.post(f"{server.url}/api/v2/licenses", json=body, headers=headers).status_code == 201
        assert entitlements(server)["trial"]
