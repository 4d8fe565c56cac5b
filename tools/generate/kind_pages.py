"""docs/reference/kinds/*.md and docs/schemas/*.json: what each kind declares, from the CRDs themselves.

The schemas are for editors (yaml-language-server): stricter than the CRDs in that unknown fields are an error, and
silent about rules in CEL, which editors cannot evaluate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from coder_enterprise.client.operations import OPERATIONS
from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.connection import ConnectionKind
from coder_enterprise.kinds.machinery.explanations import SECTIONS
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION
from coder_enterprise.kinds.machinery.schema import INT_OR_STRING, VALIDATIONS
from coder_enterprise.kinds.registry import KINDS
from tools.generate.rbac import rights

Schema = Mapping[str, Any]
_KEPT: Final = frozenset(
    {
        *("type", "description", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"),
        *("minItems", "maxItems", "minProperties", "maxProperties", "required"),
    }
)


def kind_pages() -> dict[str, str]:
    """Pages by file name."""
    return {"README.md": _index(), **{f"{kind.names.singular}.md": _page(kind) for kind in KINDS}}


def schemas() -> dict[str, str]:
    """JSON schemas by file name."""
    return {f"{kind.names.singular}.json": f"{json.dumps(_schema_file(kind), indent=1)}\n" for kind in KINDS}


def _root(kind: Any) -> Schema:
    [version] = kind.crd["spec"]["versions"]
    root: Schema = version["schema"]["openAPIV3Schema"]
    return root


def _index() -> str:
    rows = "\n".join(
        f"| [{kind.names.kind}]({kind.names.singular}.md) | `{kind.names.short}` | {_root(kind)['description']} |"
        for kind in KINDS
    )
    return f"""\
# Kinds

Made by `make generate` from `operator/coder_enterprise/kinds`. All are of `{GROUP}/{VERSION}`, namespaced, and in the
category `coder`: `kubectl get coder` lists them all.

| kind | short | what it is |
| --- | --- | --- |
{rows}

Schemas for editors are in [docs/schemas](../../schemas/README.md).
"""


def _page(kind: Any) -> str:
    root = _root(kind)
    spec, status = root["properties"]["spec"], root["properties"]["status"]
    needs = "" if isinstance(kind, ConnectionKind) else _needs(kind)
    rules = [*_rules(root, ""), *_rules(spec, "spec")]
    return "\n".join(
        [
            f"# {kind.names.kind}",
            "",
            "Made by `make generate`: change it in `operator/coder_enterprise/kinds`.",
            "",
            f"{root['description']} Short: `{kind.names.short}`.",
            *([needs] if needs else []),
            "",
            "## spec",
            "",
            *_table(spec),
            *(["", "## Rules", "", *(f"- {rule}" for rule in dict.fromkeys(rules))] if rules else []),
            "",
            "## status",
            "",
            *_table(status),
            "",
            "## Conditions and reasons",
            "",
            "What to do about each is in [Reasons](../reasons.md).",
            "",
            "| reason | of | what it means |",
            "| --- | --- | --- |",
            *(f"| `{reason}` | {conditions} | {meaning} |" for reason, conditions, meaning in _reasons(kind)),
            "",
            "## Calls to Coder",
            "",
            *_calls_told(kind),
            "",
            "| call | right in Coder |",
            "| --- | --- |",
            *(f"| {call} | {right} |" for call, right in _calls(kind)),
            "",
            "## Rights",
            "",
            "What the operator needs in Kubernetes for this kind:",
            "",
            "| resource | verbs |",
            "| --- | --- |",
            *(f"| `{resource}` | {', '.join(verbs)} |" for resource, verbs in _rights(kind)),
            "",
        ]
    )


def _calls_told(kind: Any) -> list[str]:
    told = [
        "All that is ever asked for an object of this kind, and the right that the token's user needs for it, as",
        "`POST /api/v2/authcheck` knows it. Lists are shared by all objects of a deployment.",
    ]
    tried = "What has a \\* is only tried: without the right it is left out, and all else goes on."
    return [*told, tried] if kind.attempts else told


def _calls(kind: Any) -> Iterator[tuple[str, str]]:
    for name in sorted(kind.calls, key=lambda name: (OPERATIONS[name].method != "GET", OPERATIONS[name].paths)):
        known = OPERATIONS[name]
        scim = name.startswith("scim.")
        root = "/scim/v2" if scim else "/api/v2"
        routes = " or ".join(f"`{known.method} {root}{path}`" for path in known.paths)
        right = f"`{known.right}`" if known.right else "the key of SCIM" if scim else "any token"
        yield routes, f"{right} \\*" if name in kind.attempts and known.right else right


def _needs(kind: Any) -> str:
    told = []
    if kind.feature:
        told.append(f"Needs the licensed feature `{kind.feature}`.")
    if kind.pending_field:
        told.append(f"For whom it waits is in `status.{kind.pending_field}`.")
    return " ".join(told)


def _reasons(kind: Any) -> Iterator[tuple[str, str, str]]:
    """Those that it may have: the reason, its conditions, and what it means."""
    everybody = {"all kinds"} if isinstance(kind, ConnectionKind) else {"all kinds", "all other kinds", "objects"}
    for section in SECTIONS:
        for reason, text in section.reasons.items():
            told = [part.partition(": ") for part in text.where.split("; ")]
            own = [
                conditions
                for who, _, conditions in told
                if who in everybody or kind.names.kind in who.removesuffix(" objects").split(", ")
            ]
            if own:
                yield reason, "; ".join(own), text.meaning


def _rights(kind: Any) -> list[tuple[str, tuple[str, ...]]]:
    if isinstance(kind, ConnectionKind):
        return rights(kind.names.plural, reads_secrets=True, writes_beside=False)
    reads = type(kind).secrets is not ManagedKind.secrets
    return rights(kind.names.plural, reads_secrets=reads, writes_beside=kind.needs_cluster)


def _table(schema: Schema) -> list[str]:
    rows = [f"| `{path}` | {_type(field)} | {_text(field.get('description', ''))} |" for path, field in _fields(schema)]
    return ["| field | type | meaning |", "| --- | --- | --- |", *rows]


def _fields(schema: Schema, prefix: str = "") -> Iterator[tuple[str, Schema]]:
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, field if name not in schema.get("required", ()) else {**field, "_required": True}
        inner, deeper = field, path
        if field.get("type") == "array":
            inner, deeper = field["items"], f"{path}[]"
        yield from _fields(inner, f"{deeper}.")


def _type(field: Schema) -> str:
    told = _bare_type(field)
    return f"{told}, required" if field.get("_required") else told


def _bare_type(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if INT_OR_STRING in field:
        return "number or text"
    if field.get("type") == "array":
        return f"list of {_bare_type(field['items'])}, at most {field['maxItems']}"
    if field.get("type") == "object" and "additionalProperties" in field:
        return f"map to {_bare_type(field['additionalProperties'])}"
    if field.get("format") == "date-time":
        return "time"
    words = {"string": "text", "integer": "number", "boolean": "true or false", "object": "object"}
    return words[field["type"]]


def _text(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _rules(schema: Schema, path: str) -> Iterator[str]:
    for rule in schema.get(VALIDATIONS, ()):
        where = f"{path}{rule.get('fieldPath', '')}".lstrip(".")
        yield (f"`{where}`: " if where else "") + _text(rule["message"])
    if path == "":
        return
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from _rules(schema["items"], f"{path}[]")


def _schema_file(kind: Any) -> dict[str, Any]:
    root = _root(kind)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": kind.names.kind,
        "description": root["description"],
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": f"{GROUP}/{VERSION}"},
            "kind": {"const": kind.names.kind},
            "metadata": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            "spec": _json_schema(root["properties"]["spec"]),
            "status": {"type": "object", "description": "The operator's: leave it out."},
        },
    }


def _json_schema(schema: Schema) -> dict[str, Any]:
    if INT_OR_STRING in schema:
        kept = {key: value for key, value in schema.items() if key in _KEPT}
        return kept | {"type": ["integer", "string"]}
    result = {key: value for key, value in schema.items() if key in _KEPT}
    if "properties" in schema:
        result["properties"] = {name: _json_schema(field) for name, field in schema["properties"].items()}
        result["additionalProperties"] = False
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = _json_schema(schema["additionalProperties"])
    if isinstance(schema.get("items"), dict):
        result["items"] = _json_schema(schema["items"])
    if schema.get("x-kubernetes-list-type") == "set":
        result["uniqueItems"] = True
    return result
