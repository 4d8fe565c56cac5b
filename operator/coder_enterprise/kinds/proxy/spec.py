"""What a CoderWorkspaceProxy declares, and what its status says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Final

from pydantic import Field

from coder_enterprise.kinds.machinery import durations
from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagedStatus, ObjectName
from coder_enterprise.kinds.machinery.names import NAME, is_one_of, matches
from coder_enterprise.kinds.machinery.schema import Cel, KindModel
from coder_enterprise.kinds.proxy.workload_spec import Workload

MAX_NAME: Final = 64
MAX_URL: Final = 2048
MAX_MESSAGES: Final = 16
MAX_MESSAGE: Final = 1024
MAX_VERSION: Final = 128
MAX_ANNOTATION: Final = 256

RESERVED: Final = ("primary", "me")
LIKE_AN_ID: Final = "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"

Message = Annotated[str, Field(max_length=MAX_MESSAGE)]


class TokenSecret(KindModel):
    name: ObjectName | None = None
    """Name of the Secret, in the same namespace, that the operator writes; its keys are CODER_PROXY_SESSION_TOKEN and
    CODER_PRIMARY_ACCESS_URL, ready for envFrom. Default: the object's name with -token at its end."""
    rotate_every: (
        Annotated[
            str,
            Field(max_length=32, pattern=durations.PATTERN),
            Cel("duration(self) >= duration('1h')", "must be at least 1h"),
        ]
        | None
    ) = None
    """Age at which the token is replaced, such as 720h; at least 1h. The old token dies at once: a proxy that
    spec.workload does not run must be restarted then. Default: only when it is lost, or asked for by the annotation
    enterprise.coder.com/rotate-token-at."""


class ProxySpec(ManagedSpec):
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=NAME)] | None = None
    """Name of the workspace proxy in Coder. Default: the object's own name."""
    display_name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\t-\r ](.*[^\t-\r ])?$")] | None = None
    """What people see in place of the name. Left out, a new proxy gets its name, and a later change in Coder stays."""
    icon: (
        Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^(https?://[^\t-\r ]+|/[^\t-\r ]*)$")] | None
    ) = None
    """Picture: an http(s) URL, or a path on the deployment such as /emojis/1f1ea-1f1fa.png. Left out, a new proxy gets
    a globe, and a later change in Coder stays."""
    token_secret: TokenSecret | None = None
    """Where the proxy's token goes, and how long it lives. A proxy that is adopted gets a new token, since Coder shows
    none twice: so only adoptionPolicy Adopt adopts one."""
    workload: Workload | None = None
    """A Deployment that runs the proxy, owned by this object. Default: none; run the proxy yourself, with the token
    from the Secret."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            f"!has(self.name) || !({is_one_of('self.name.lowerAscii()', RESERVED)})",
            "primary and me are reserved by Coder",
            field_path=".name",
        ),
        Cel(
            f"!has(self.name) || !{matches('self.name', LIKE_AN_ID)}",
            "name must not look like an id: by that name, nobody could find the proxy",
            field_path=".name",
        ),
        *ManagedSpec.cel,
    )


class Health(KindModel):
    status: Annotated[str, Field(max_length=32)]
    """ok, unreachable, unhealthy or unregistered, as Coder found it; unknown before Coder has looked."""
    since: datetime | None = None
    """When the operator first saw this status."""
    errors: Annotated[tuple[Message, ...], Field(max_length=MAX_MESSAGES)] | None = None
    warnings: Annotated[tuple[Message, ...], Field(max_length=MAX_MESSAGES)] | None = None


class ProxyStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=64)] | None = None
    """The proxy's id in Coder."""
    url: Annotated[str, Field(max_length=MAX_URL)] | None = None
    """The address under which the proxy has registered."""
    wildcard_hostname: Annotated[str, Field(max_length=255)] | None = None
    health: Health | None = None
    """As Coder measured it."""
    version: Annotated[str, Field(max_length=MAX_VERSION)] | None = None
    """What the proxy said of itself when it registered."""
    token_fingerprint: Annotated[str, Field(max_length=64)] | None = None
    """First digits of the SHA-256 of the token that the Secret must hold; absent while a new one is on its way, and ""
    when Coder showed none."""
    token_rotated_at: datetime | None = None
    """When the present token was made."""
    last_handled_rotate_at: Annotated[str, Field(max_length=MAX_ANNOTATION)] | None = None
    """The value of the annotation enterprise.coder.com/rotate-token-at that was acted on last."""
    replicas: int | None = None
    """Pods of the workload."""
    ready_replicas: int | None = None
    selector: Annotated[str, Field(max_length=512)] | None = None
    """Selects the workload's pods: for a Service, and for autoscalers."""
