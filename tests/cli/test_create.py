"""`coder-enterprise create token-secret`: from a password or a token to a Secret that the operator accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from coder_enterprise.kinds.machinery.resource import WATCH_LABEL
from tests.support.command import command, in_cluster
from tests.support.kubernetes import Namespace
from tests.support.manifests import secret
from tools.coder_api import CoderAPI
from tools.server_process import OWNER_EMAIL, CoderServer

CREATE = ("create", "token-secret", "coder-token")


def test_a_token_is_made_with_a_password_and_shown_nowhere(namespace: Namespace, server: CoderServer) -> None:
    result = in_cluster(
        namespace, *CREATE, "--url", server.url, "--username", OWNER_EMAIL, typed=f"{server.password}\n"
    )
    assert result.exit_code == 0, result.output
    token = namespace.secret("coder-token")["token"]
    assert token not in result.output
    assert server.password not in result.output
    assert namespace.get("Secret", "coder-token")["metadata"]["labels"] == {WATCH_LABEL: "true"}
    api = CoderAPI(server.url, token)
    assert api.roles("admin") == {"owner"}
    api.close()


def test_a_token_of_ones_own_is_tried_before_it_is_written(namespace: Namespace, server: CoderServer) -> None:
    result = in_cluster(namespace, *CREATE, "--url", server.url, "--token-stdin", typed=f"Bearer {server.token}\n")
    assert result.exit_code == 0, result.output
    assert namespace.secret("coder-token") == {"token": server.token}
    result = in_cluster(namespace, *CREATE, "--url", server.url, "--token-stdin", "--replace", typed="wrong-token")
    assert result.exit_code == 1
    assert "wrong-token" not in result.output
    assert namespace.secret("coder-token") == {"token": server.token}


def test_a_secret_is_replaced_only_when_told_and_keeps_its_other_keys(
    namespace: Namespace, server: CoderServer
) -> None:
    namespace.apply(secret(token="old", scim="kept", watched=False))
    words = (*CREATE, "--url", server.url, "--token-stdin")
    refused = in_cluster(namespace, *words, typed=server.token)
    assert (refused.exit_code, "--replace" in refused.stderr) == (1, True)
    assert namespace.secret("coder-token")["token"] == "old"
    assert in_cluster(namespace, *words, "--replace", typed=server.token).exit_code == 0
    assert namespace.secret("coder-token") == {"token": server.token, "scim": "kept"}


def test_a_token_made_with_a_password_is_rotated_by_the_same_command(namespace: Namespace, server: CoderServer) -> None:
    words = (*CREATE, "--url", server.url, "--username", OWNER_EMAIL, "--replace")
    found = []
    for _ in range(2):
        result = in_cluster(namespace, *words, typed=f"{server.password}\n")
        assert result.exit_code == 0, result.output
        found.append(namespace.secret("coder-token")["token"])
    assert len(set(found)) == 2


@pytest.mark.parametrize(("words", "said"), [((), "--replace"), (("--key", "a/b", "--replace"), "a/b")])
def test_no_token_is_made_that_can_be_put_nowhere(
    namespace: Namespace, server: CoderServer, coder: CoderAPI, words: tuple[str, ...], said: str
) -> None:
    namespace.apply(secret(token="old"))
    before = coder.tokens("admin")
    asked = (*CREATE, "--url", server.url, "--username", OWNER_EMAIL, *words)
    result = in_cluster(namespace, *asked, typed=f"{server.password}\n")
    assert (result.exit_code, said in result.stderr) == (1, True)
    assert coder.tokens("admin") == before


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    result = command(*CREATE, "--url", "https://ann:s3cret@coder.example.com", "--token-stdin", typed="a-token")
    assert (result.exit_code, "must not hold a user name" in result.stderr) == (2, True)
    assert "s3cret" not in result.output


def test_certificates_in_any_encoding_are_read(namespace: Namespace, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"caf\xe9")
    words = (*CREATE, "--url", "https://127.0.0.1:1", "--token-stdin", "--ca-file", str(bundle))
    result = in_cluster(namespace, *words, typed="a-token")
    assert (result.exit_code, "holds no PEM or DER certificate" in result.stderr) == (1, True)


def test_a_wrong_password_is_said_in_one_line_without_it(namespace: Namespace, server: CoderServer) -> None:
    result = in_cluster(namespace, *CREATE, "--url", server.url, "--username", OWNER_EMAIL, typed="sesame\n")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "401" in line
    assert "sesame" not in line
    assert namespace.find("Secret", "coder-token") is None


def test_who_is_no_owner_is_told_so(namespace: Namespace, server: CoderServer, coder: CoderAPI) -> None:
    coder.create_user("ann")
    token = coder.create_token("ann")
    result = in_cluster(namespace, *CREATE, "--url", server.url, "--token-stdin", typed=token)
    assert result.exit_code == 0
    assert "ann is no owner" in result.stderr
