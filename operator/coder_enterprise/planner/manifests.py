"""Manifests as people have them: files, folders, and what kustomize and Helm print.

Called by the commands. Owns the sorting of what is ours, what is needed beside it (Secrets, labels of namespaces), and
what is left alone; `planner.files` finds the texts, `planner.documents` reads them. Whether a spec is right,
`planner.schemas` says.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from coder_enterprise.kinds.machinery.object_names import name_fault, namespace_fault
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION, Key
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.planner.documents import documents
from coder_enterprise.planner.faults import Fault, Origin
from coder_enterprise.planner.files import texts

_BY_KIND: Final[dict[str, Any]] = {kind.names.kind: kind for kind in KINDS}
_NAMES: Final = {"name": name_fault, "namespace": namespace_fault}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of ours, as it was written."""

    key: Key
    body: Mapping[str, Any]
    origin: Origin


@dataclass
class Manifests:
    objects: dict[Key, Manifest] = field(default_factory=dict)
    secrets: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """Bodies, by namespace and name."""
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels, by name."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Objects of other kinds."""
    faults: list[Fault] = field(default_factory=list)


def read(sources: Sequence[str], namespace: str = "default") -> Manifests:
    """All that is in these files and folders; `-` is the standard input. Objects without a namespace are in
    `namespace`."""
    found = Manifests()
    for file, text in texts(sources, found.faults):
        for origin, body in documents(file, text, found.faults):
            _sort(body, origin, namespace, found)
    return found


def secret_values(body: Mapping[str, Any]) -> dict[str, str]:
    """What a Secret's manifest holds, as text; what is no base64 or no text is left out."""
    values = {}
    for key, encoded in _mapping(body.get("data")).items():
        try:
            values[key] = base64.b64decode(str(encoded), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return values | {key: str(value) for key, value in _mapping(body.get("stringData")).items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    """What is none is as good as empty."""
    return value if isinstance(value, dict) else {}


def _sort(body: Any, origin: Origin, namespace: str, found: Manifests) -> None:
    if not isinstance(body, dict) or "kind" not in body or "apiVersion" not in body:
        if body not in (None, {}):
            found.ignored["no object of Kubernetes"] += 1
        return
    if str(body["kind"]).endswith("List") and isinstance(body.get("items"), list):
        for item in body["items"]:
            _sort(item, origin, namespace, found)
        return
    group, _, version = str(body["apiVersion"]).rpartition("/")
    if group == GROUP:
        _ours(body, version, origin, namespace, found)
    elif (group, body["kind"]) == ("", "Secret"):
        name, own = _name_of(body)
        found.secrets[own or namespace, name] = body
    elif (group, body["kind"]) == ("", "Namespace"):
        name, _ = _name_of(body)
        found.namespaces[name] = _mapping(_mapping(body.get("metadata")).get("labels"))
    else:
        found.ignored[str(body["kind"])] += 1


def _name_of(body: Mapping[str, Any]) -> tuple[str, str]:
    metadata = _mapping(body.get("metadata"))
    return str(metadata.get("name") or ""), str(metadata.get("namespace") or "")


def _ours(body: dict[str, Any], version: str, origin: Origin, namespace: str, found: Manifests) -> None:
    kind = str(body["kind"])
    name, own = _name_of(body)
    if kind not in _BY_KIND:
        found.faults.append(Fault(origin, f"{GROUP} has no kind {kind}; known are {', '.join(_BY_KIND)}"))
    elif version != VERSION:
        found.faults.append(Fault(origin, f"apiVersion: {GROUP}/{version} is not known here, but {GROUP}/{VERSION}"))
    elif _misshapen(_mapping(body.get("metadata"))):
        found.faults.append(Fault(origin, f"{kind}: {_misshapen(_mapping(body.get('metadata')))}"))
    elif not name:
        found.faults.append(Fault(origin, f"{kind}: metadata.name is required"))
    else:
        key = Key(kind, own or namespace, name)
        earlier = found.objects.get(key)
        if earlier is not None:
            found.faults.append(Fault(origin, f"{key} is there twice: also at {earlier.origin}"))
        else:
            found.objects[key] = Manifest(key, body, origin)


def _misshapen(metadata: Mapping[str, Any]) -> str:
    """What the API server would say of metadata, as far as we look at it."""
    for field_, fault in _NAMES.items():
        value = metadata.get(field_)
        if value is not None and not isinstance(value, str):
            return f"metadata.{field_}: {value!r} is no text: put it in quotes"
        if value and fault(value):
            return f"metadata.{field_}: {fault(value)}"
    for field_ in ("labels", "annotations"):
        value = metadata.get(field_) or {}
        if not isinstance(value, dict) or not all(isinstance(text, str) for pair in value.items() for text in pair):
            return f"metadata.{field_}: must map text to text"
    return ""
