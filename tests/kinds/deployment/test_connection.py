"""How to connect, from spec and Secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.machinery.connection import SecretKeyRef
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.deployment.builders import KIND, spec
from tests.support.scripted import TOKEN


def test_the_token_is_read_without_the_line_break_of_an_editor() -> None:
    settings = KIND.settings(spec(url="https://coder.example.com/"), {SecretKeyRef("coder-token", "token"): "abc\n"})
    assert (settings.url, settings.token, settings.ca_bundle) == ("https://coder.example.com", "abc", "")


def test_another_key_may_be_named() -> None:
    desired = spec(tokenSecretRef={"name": "coder", "key": "session"})
    assert KIND.secrets(desired) == (SecretKeyRef("coder", "session"),)


def test_a_bundle_comes_from_spec_or_from_a_secret() -> None:
    token = {SecretKeyRef("coder-token", "token"): TOKEN}
    assert KIND.settings(spec(caBundle="PEM"), token).ca_bundle == "PEM"
    desired = spec(caBundleSecretRef={"name": "ca"})
    assert KIND.secrets(desired) == (SecretKeyRef("coder-token", "token"), SecretKeyRef("ca", "ca.crt"))
    assert [ref.sent for ref in KIND.secrets(desired)] == [True, False], "certificates stay here"
    assert KIND.settings(desired, token | {SecretKeyRef("ca", "ca.crt"): "PEM\n"}).ca_bundle == "PEM\n"


def test_the_key_of_scim_comes_from_a_secret_of_its_own() -> None:
    token = {SecretKeyRef("coder-token", "token"): TOKEN}
    desired = spec(scimSecretRef={"name": "idp"})
    assert KIND.secrets(desired) == (SecretKeyRef("coder-token", "token"), SecretKeyRef("idp", "scim"))
    values = token | {SecretKeyRef("idp", "scim"): "Bearer abc\n"}
    assert KIND.settings(desired, values).scim_key == "Bearer abc"
    assert KIND.settings(spec(), token).scim_key == ""


def test_what_cannot_be_a_key_of_scim_is_refused_and_not_told() -> None:
    values = {SecretKeyRef("coder-token", "token"): TOKEN, SecretKeyRef("idp", "scim"): "abc\r\nHost: x"}
    with pytest.raises(KindError, match="Secret idp holds no key") as caught:
        KIND.settings(spec(scimSecretRef={"name": "idp"}), values)
    assert "Host" not in str(caught.value)


@pytest.mark.parametrize("value", ["abc def", "abc def\nghi", "abc\x00", "abc\udcff", "t\u00f6ken"])
def test_what_cannot_be_a_token_is_refused_and_not_told(value: str) -> None:
    with pytest.raises(KindError, match="coder-token") as caught:
        KIND.settings(spec(), {SecretKeyRef("coder-token", "token"): value})
    assert caught.value.reason is Reason.UNAUTHORIZED
    assert caught.value.meaning is Meaning.STALLED
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("allowed", "namespace", "expected"),
    [
        (None, "other", False),
        ([], "other", False),
        (["other"], "other", True),
        (["another"], "other", False),
        (["*"], "other", True),
    ],
)
def test_a_list_of_namespaces_is_short_for_an_entry(allowed: list[str] | None, namespace: str, expected: bool) -> None:
    entries = KIND.allowances(spec(allowedNamespaces=allowed, allow=[{"namespaces": ["third"]}]))
    assert any(entry.names(namespace) for entry in entries) is expected
    assert any(entry.names("third") for entry in entries)


@pytest.mark.parametrize(
    ("fields", "rate", "resync"),
    [
        ({}, None, 300.0),
        ({"maxRequestsPerSecond": 5}, 5, 300.0),
        ({"resyncInterval": "1h30m"}, None, 5400.0),
    ],
)
def test_limits_come_from_spec(fields: Mapping[str, Any], rate: float | None, resync: float) -> None:
    assert KIND.rate(spec(**fields)) == rate
    assert KIND.resync(spec(**fields)) == resync
