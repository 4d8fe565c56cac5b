"""A Secret of Kubernetes as text, as the client reads it."""

from __future__ import annotations

import base64
import binascii
import codecs
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coder_enterprise.kinds.machinery.resource import WATCH_LABEL


@dataclass(frozen=True, slots=True)
class Secret:
    values: Mapping[str, str] = field(repr=False)
    """As text; bytes that are no text are surrogates in it (PEP 383)."""
    type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    """API versions of the objects that it belongs to."""

    @property
    def is_watched(self) -> bool:
        """Whether a watch tells of its changes."""
        return self.labels.get(WATCH_LABEL) == "true"

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Secret:
        meta = body.get("metadata") or {}
        return cls(
            values={key: _decode(value) for key, value in (body.get("data") or {}).items()},
            type=body.get("type") or "",
            labels=meta.get("labels") or {},
            owners=tuple(owner.get("apiVersion", "") for owner in meta.get("ownerReferences") or ()),
        )


def _decode(value: str) -> str:
    """As people have files: UTF-8, or UTF-16 with its mark."""
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        return ""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode("utf-16")
    return raw.decode(errors="surrogateescape").removeprefix("\ufeff")
