"""A live Coder as manifests that the operator adopts: the same text for an unchanged Coder, byte for byte.

Called by `coder-enterprise export`. What there is, each kind says; this module names the objects, gives them policies
that change nothing, and says as comments what a person must decide. The writing is `planner.folder`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from typing_extensions import override

from coder_enterprise.client.errors import Forbidden, NotFound, OperatorError
from coder_enterprise.kinds.machinery import secret_text
from coder_enterprise.kinds.machinery.base import Context, ManagedKind
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.lookups import in_words
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION
from coder_enterprise.kinds.machinery.texts import clipped
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
from coder_enterprise.planner.scalars import for_writing
from coder_enterprise.planner.servers import unseen

MAX_OBJECT_NAME: Final = 200
"""Characters: Kubernetes allows 253, and something may have to be put behind it."""
MAX_TITLE: Final = 60
POLICIES: Final = {"adoptionPolicy": "AdoptIfIdentical", "deletionPolicy": "Retain"}
KUSTOMIZATION: Final = "kustomization.yaml"
RESERVED: Final = frozenset({Path(KUSTOMIZATION).stem})
"""What a file of manifests cannot be called."""
HEAD: Final = (
    "AdoptIfIdentical takes over what Coder has while both are the same. Once the object is Ready, adoptionPolicy can",
    "go, and deletionPolicy: Delete lets Coder follow when this file is deleted.",
)
COMMAND: Final = secret_text.command("coder-token", "token")


@dataclass(frozen=True)
class Selection:
    """What is wanted; nothing given is everything."""

    kinds: frozenset[str] = frozenset()
    organization: str = ""
    pattern: str = ""
    """Of the name in Coder, with * and ?."""
    ids: frozenset[str] | None = None
    """Of the things in Coder; None is all."""

    @property
    def everything(self) -> bool:
        return self == Selection()

    def wants(self, declaration: Declaration) -> bool:
        if self.ids is not None and declaration.external_id not in self.ids:
            return False
        if self.organization and declaration.organization not in ("", self.organization):
            return False
        return not self.pattern or fnmatchcase(declaration.title, self.pattern)


@dataclass
class Export:
    files: dict[str, str] = field(default_factory=dict)
    """Text by path, in order."""
    ids: set[str] = field(default_factory=set)
    """Of the things in Coder that are among them."""
    counts: dict[str, int] = field(default_factory=dict)
    """Objects by kind."""
    notes: list[str] = field(default_factory=list)
    """What is not there, and why."""
    standing: frozenset[str] = frozenset()
    """Files of an earlier export of which this one knows nothing: not asked for, or not shown by Coder."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Commands that make the Secrets, by name."""


async def export(
    context: Context, selection: Selection, progress: Callable[[int, int], None], beside: Iterable[str] = ()
) -> Export:
    """Raises `OperatorError` when Coder cannot be asked. A kind that this Coder does not have, or does not show to this
    token, is a note. `beside` are the files of an earlier export."""
    result = Export(secrets={"coder-token": COMMAND})
    result.files["coderdeployment.yaml"] = _deployment(context.client.settings.url)
    names: dict[str, str] = {}
    hidden: set[str] = set()
    wanted = [kind for kind in MANAGED_KINDS if not selection.kinds or kind.names.kind in selection.kinds]
    await _require_organization(context, selection.organization)
    for kind in wanted:
        rights = await unseen(context.client, [kind])
        if rights:
            hidden.add(kind.names.plural)
            result.notes.append(f"not every {kind.names.kind}: the token may not {', '.join(map(str, rights))}")
    for number, kind in enumerate(wanted):
        progress(number, len(wanted))
        try:
            declared = await kind.declarations(context, names)
        except (Forbidden, NotFound) as error:
            hidden.add(kind.names.plural)
            result.notes.append(f"no {kind.names.kind}: {in_words(kind, error).message}")
            continue
        _add(result, kind, declared, selection, names)
    if not result.counts:
        result.notes.append("nothing was found that could be declared")
    unknown = (path for path in beside if not selection.everything or path.partition("/")[0] in hidden)
    result.standing = frozenset(unknown) - result.files.keys() - {KUSTOMIZATION}
    resources = {*result.files, *result.standing}
    result.files[KUSTOMIZATION] = _kustomization(sorted(resources))
    return result


class UnknownOrganization(OperatorError):
    """That an export is asked for."""

    reason = "NotFound"


async def _require_organization(context: Context, name: str) -> None:
    if not name:
        return
    known = sorted(each.name for each in await context.directory.organizations())
    if name not in known:
        raise UnknownOrganization(f"the token sees no organization {name}; there are {', '.join(known) or 'none'}")


def _add(
    result: Export,
    kind: ManagedKind[Any, Any],
    declared: Sequence[Declaration],
    selection: Selection,
    names: dict[str, str],
) -> None:
    called = object_names(declared)
    for item in sorted(filter(selection.wants, declared), key=_order):
        refused = _refused(kind, item)
        if refused:
            result.notes.append(f"{kind.names.kind} {clipped(item.title, MAX_TITLE)} cannot be declared: {refused}")
            continue
        name = names[item.external_id] = called[item.external_id]
        result.ids.add(item.external_id)
        result.files[f"{kind.names.plural}/{name}.yaml"] = _manifest(kind.names.kind, name, item)
        result.secrets.update(item.secrets)
        result.counts[kind.names.kind] = result.counts.get(kind.names.kind, 0) + 1


def _order(item: Declaration) -> tuple[str, str, str, str]:
    return (item.organization, item.title.lower(), item.title, item.external_id)


def _refused(kind: ManagedKind[Any, Any], item: Declaration) -> str:
    """What an API server would say of it: Coder may have names that are longer than it lets anybody choose now."""
    try:
        kind.spec_model.model_validate({**POLICIES, **item.spec})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        return f"spec.{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return ""


def object_names(declared: Iterable[Declaration]) -> dict[str, str]:
    """By id in Coder: as things are called, as far as Kubernetes allows it, with the organization in front where it is
    not the default one. Of several that would share a name only one keeps it, and the others get a part of a digest of
    theirs. So a name depends neither on what else is exported, nor, but for such, on what else there is."""
    sharing: defaultdict[str, list[Declaration]] = defaultdict(list)
    for item in declared:
        sharing[_slug(item.title if item.at_home else f"{item.organization}-{item.title}") or "unnamed"].append(item)
    names: dict[str, str] = {}
    left: list[tuple[str, Declaration]] = []
    for name, items in sharing.items():
        first, *others = sorted(items, key=_precedence)
        if name in RESERVED:
            others.append(first)
        else:
            names[first.external_id] = name
        left += [(name, item) for item in others]
    taken = set(names.values())
    for name, item in sorted(left, key=lambda pair: _order(pair[1])):
        longer = f"{name}-{_digest(item.organization, item.title)}"
        if longer in taken:  # the same title twice
            longer = f"{name}-{_digest(item.organization, item.title, item.external_id)}"
        taken.add(longer)
        names[item.external_id] = longer
    return names


def _precedence(item: Declaration) -> tuple[bool, bool, tuple[str, str, str, str]]:
    return (not item.at_home, _slug(item.title) != item.title, _order(item))


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:8]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_OBJECT_NAME].strip("-")


def _manifest(kind: str, name: str, item: Declaration) -> str:
    spec = dict(item.spec)
    if item.name_field and spec.get(item.name_field) == name:
        del spec[item.name_field]
    comments = [*HEAD, *item.notes, *(f"{secret}: {command}" for secret, command in item.secrets.items())]
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**POLICIES, **spec},
    }
    return "".join(f"# {_one_line(line)}\n" for line in comments) + _to_yaml(body)


def _deployment(url: str) -> str:
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": CONNECTION_KIND.names.kind,
        "metadata": {"name": "coder"},
        "spec": {"url": url, "tokenSecretRef": {"name": "coder-token"}},
    }
    comments = ("The token must be an owner's:", COMMAND)
    return "".join(f"# {_one_line(line)}\n" for line in comments) + _to_yaml(body)


def _kustomization(paths: Sequence[str]) -> str:
    body = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(paths)}
    return _to_yaml(body)


def _one_line(text: str) -> str:
    """What others wrote must not end the comment."""
    return "".join(character if character.isprintable() else " " for character in text)


class _Dumper(yaml.CSafeDumper):
    """Quotes what Kubernetes would not take for text: a group may be called y, or 1e3."""

    yaml_implicit_resolvers: dict[str, Any] = for_writing(yaml.CSafeDumper.yaml_implicit_resolvers)

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _to_yaml(body: Mapping[str, Any]) -> str:
    return yaml.dump(dict(body), Dumper=_Dumper, sort_keys=False, width=4096, allow_unicode=True)
