"""What a CoderDeployment declares."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field

from coder_enterprise.kinds.machinery.common import BaseSpec, SecretKey, SecretRef
from coder_enterprise.kinds.machinery.consent import MAX_ALLOWANCES, MAX_NAMESPACES, Allowance, NamespaceName
from coder_enterprise.kinds.machinery.schema import Cel, ListSet

NO_URL: Final = "must be an http or https URL with a host, such as https://coder.example.com"
NO_CREDENTIALS: Final = "must not hold a user name or a password: the token belongs into a Secret"
NO_QUERY: Final = "must not have a query or a fragment"

DEFAULT_RESYNC: Final = 300.0
MAX_URL: Final = 2048


class TokenSecretRef(SecretRef):
    key: SecretKey = "token"
    """Its key that holds a Coder session token. Default: token."""


class CABundleSecretRef(SecretRef):
    key: SecretKey = "ca.crt"
    """Its key that holds PEM certificates. Default: ca.crt."""


class SCIMSecretRef(SecretRef):
    key: SecretKey = "scim"
    """Its key that holds what CODER_SCIM_AUTH_HEADER says on the server. Default: scim."""


class DeploymentSpec(BaseSpec):
    url: Annotated[
        str,
        Field(min_length=8, max_length=MAX_URL),
        Cel(
            "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",
            f"url {NO_URL}",
        ),
        Cel("!self.contains('@')", f"url {NO_CREDENTIALS}"),
        Cel("!self.contains('?') && !self.contains('#')", f"url {NO_QUERY}"),
    ]
    """Coder's access URL, without credentials, query, fragment, or a path below it such as /api/v2."""
    token_secret_ref: TokenSecretRef
    """A session token for Coder, of a user with the role owner. The Secret must have the label
    enterprise.coder.com/watch: "true", with which it is read again within seconds when it changes, or the type
    enterprise.coder.com/token, with which it is at each resync: no other is sent anywhere."""
    ca_bundle: Annotated[str, Field(max_length=65_536)] | None = None
    """PEM certificates that sign the server's, in place of the system's."""
    ca_bundle_secret_ref: CABundleSecretRef | None = None
    """The same from a Secret."""
    scim_secret_ref: SCIMSecretRef | None = None
    """What opens SCIM on the server, in a Secret with the same label or type. Needed only for users who are to be made
    and suspended that way."""
    allowed_namespaces: Annotated[tuple[NamespaceName, ...], Field(max_length=MAX_NAMESPACES), ListSet()] | None = None
    """Other namespaces whose objects may refer to this deployment; "*" is all. Short for an entry of allow with nothing
    but namespaces. Default: none."""
    allow: Annotated[tuple[Allowance, ...], Field(max_length=MAX_ALLOWANCES)] | None = None
    """What objects of other namespaces may do here. One entry must allow all that an object asks for. Objects of the
    deployment's own namespace may do everything. Default: nothing."""
    max_requests_per_second: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Upper limit of requests to this server. Default: none, but for 16 requests at a time and Retry-After."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!(has(self.caBundle) && has(self.caBundleSecretRef))",
            "caBundle and caBundleSecretRef exclude each other",
            field_path=".caBundle",
        ),
    )
