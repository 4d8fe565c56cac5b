"""What spec.workload may say of the Deployment that runs a workspace proxy."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field

from coder_enterprise.kinds.machinery.common import ObjectName
from coder_enterprise.kinds.machinery.schema import Cel, IntOrString, KindModel, ListMap

TOKEN_KEY: Final = "CODER_PROXY_SESSION_TOKEN"  # noqa: S105
PRIMARY_URL_KEY: Final = "CODER_PRIMARY_ACCESS_URL"
"""Keys of the token's Secret, called as the proxy's own settings, so that `envFrom` is all that a pod needs."""
MAX_REPLICAS: Final = 100

_RESERVED: Final = (
    TOKEN_KEY,
    PRIMARY_URL_KEY,
    "CODER_ACCESS_URL",
    "CODER_WILDCARD_ACCESS_URL",
    "CODER_HTTP_ADDRESS",
)
QUANTITY: Final = r"^\+?([0-9]{1,19}\.?[0-9]{0,9}|\.[0-9]{1,9})([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$"
"""What Kubernetes reads as a quantity that is not negative."""


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[Annotated[str, Field(max_length=32, pattern=QUANTITY)], BeforeValidator(_as_text), IntOrString()]
Quantities = Annotated[
    dict[str, Quantity],
    Field(max_length=3),
    Cel(
        "self.all(name, name in ['cpu', 'memory', 'ephemeral-storage'])",
        "only cpu, memory and ephemeral-storage can be set",
    ),
]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Resources(KindModel):
    requests: Quantities | None = None
    """What is set aside for each pod: cpu, memory, ephemeral-storage."""
    limits: Quantities | None = None
    """The most that each pod may use."""


class SecurityContext(KindModel):
    run_as_user: Id | None = None
    """Default: the image's own user, who must not be root."""
    run_as_group: Id | None = None
    """Default: the image's own group."""
    read_only_root_filesystem: bool | None = None
    """Default: what the image needs, which is false."""


class EnvironmentVariable(KindModel):
    name: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: Annotated[str, Field(max_length=4096)] = ""
    """As it is: no references, and nothing secret."""


class Workload(KindModel):
    image: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\t-\r ]+$")]
    """Such as ghcr.io/coder/coder:v2.20.0, of the release that Coder runs."""
    command: (
        Annotated[
            tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...],
            Field(min_length=1, max_length=16),
        ]
        | None
    ) = None
    """What runs in the image. Default: /opt/coder wsproxy server."""
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)] | None = None
    """How many pods; left out, the Deployment's own number is left alone, which is 1 at first. kubectl scale and
    autoscalers need it to be set once, and change it here."""
    access_url: Annotated[
        str,
        Field(alias="accessURL", min_length=8, max_length=2048),
        Cel(
            "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && "
            "url(self).getEscapedPath() in ['', '/']",
            "accessURL must be an http or https URL without a path, such as https://eu.coder.example.com",
        ),
    ]
    """How browsers and Coder reach the proxy: the address of the Ingress or Service in front of it."""
    wildcard_access_url: Annotated[
        Annotated[str, Field(max_length=253, pattern=r"^\*[-A-Za-z0-9]*(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)+$")]
        | None,
        Field(alias="wildcardAccessURL"),
    ] = None
    """Host name of workspace apps on subdomains, such as *.eu.coder.example.com."""
    resources: Resources | None = None
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=16)] | None = None
    """Labels that a node must have."""
    service_account_name: ObjectName | None = None
    """Whom the pods run as; no token of it is mounted. Default: the namespace's own."""
    security_context: SecurityContext | None = None
    """On top of what Pod Security Standards call restricted, which always holds."""
    env: Annotated[tuple[EnvironmentVariable, ...], Field(max_length=32), ListMap("name")] = ()
    """More settings of the proxy, such as CODER_DERP_SERVER_ENABLE."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            f"!has(self.env) || self.env.all(item, !(item.name in {list(_RESERVED)}))",
            "the token and the addresses are set by the operator: leave them out of env",
            field_path=".env",
        ),
    )
