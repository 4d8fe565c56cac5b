"""Who looks at the page, as Kubernetes names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Identity:
    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def reviewed(cls, user: Mapping[str, Any]) -> Identity:
        """From `status.user` of a TokenReview."""
        extra = user.get("extra") or {}
        return cls(
            user=str(user.get("username", "")),
            groups=tuple(map(str, user.get("groups") or ())),
            uid=str(user.get("uid", "")),
            extra=tuple(sorted((str(name), tuple(map(str, values))) for name, values in extra.items())),
        )

    def asked_for(self) -> dict[str, Any]:
        """As `spec` of a SubjectAccessReview names them."""
        spec: dict[str, Any] = {"user": self.user, "groups": list(self.groups), "uid": self.uid}
        return spec | {"extra": {name: list(values) for name, values in self.extra}}


IDENTITY: Final = web.RequestKey("identity", Identity)
LOCAL: Final = Identity("")
"""Who looks in the mode `local`, where nobody is asked for a name."""
