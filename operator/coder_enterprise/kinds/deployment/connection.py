"""How to connect: the values of the Secrets that a CoderDeployment names, checked."""

from __future__ import annotations

from collections.abc import Mapping

from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.kinds.deployment.spec import (
    NO_CREDENTIALS,
    NO_QUERY,
    CABundleSecretRef,
    DeploymentSpec,
)
from coder_enterprise.kinds.machinery import secret_text
from coder_enterprise.kinds.machinery.common import SecretRef
from coder_enterprise.kinds.machinery.connection import SecretKeyRef
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason


def key_ref(ref: SecretRef) -> SecretKeyRef:
    return SecretKeyRef(ref.name, ref.key, sent=not isinstance(ref, CABundleSecretRef))


def _require_plain(url: str) -> None:
    """What admission refuses, for objects that are older than its rules."""
    if "@" in url:
        raise stalled(Reason.INVALID_SPEC, f"spec.url {NO_CREDENTIALS}")
    if "?" in url or "#" in url:
        raise stalled(Reason.INVALID_SPEC, f"spec.url {NO_QUERY}")


def connection_settings(url: str, spec: DeploymentSpec, values: Mapping[SecretKeyRef, str]) -> ConnectionSettings:
    """Raises `KindError` that never shows what a Secret holds."""
    _require_plain(spec.url)
    ref, bundle, scim = spec.token_secret_ref, spec.ca_bundle_secret_ref, spec.scim_secret_ref
    token = secret_text.token(values[key_ref(ref)])
    if token and not secret_text.is_sendable(token):
        raise stalled(
            Reason.UNAUTHORIZED,
            f"Secret {ref.name} holds no session token under the key {ref.key}: "
            "it has spaces, line breaks or characters outside ASCII; put a valid session token there",
        )
    scim_key = values[key_ref(scim)].strip() if scim else ""
    if scim and not all(" " <= character <= "~" for character in scim_key):
        raise stalled(
            Reason.UNAUTHORIZED,
            f"Secret {scim.name} holds no key for SCIM under the key {scim.key}: it has line breaks or characters "
            "outside ASCII; put there what CODER_SCIM_AUTH_HEADER says on the server",
        )
    return ConnectionSettings(
        url=url,
        token=token,
        ca_bundle=values[key_ref(bundle)] if bundle else spec.ca_bundle or "",
        scim_key=scim_key,
    )
