"""What a CoderDeployment lets objects of other namespaces do: `spec.allow`, and what an object asks for.

Read by `kinds.deployment`, whose spec it is a part of, and asked by the controller before every call. Pure functions:
the labels of a namespace are given, not looked up. One entry must allow all that an object asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from coder_enterprise.kinds.machinery.common import Organization
from coder_enterprise.kinds.machinery.schema import Cel, KindModel, ListSet

ALL: Final = "*"
MAX_ALLOWANCES: Final = 32
MAX_NAMESPACES: Final = 256
MAX_ENTRIES: Final = 32
MAX_SELECTED: Final = 16
"""Requirements of one selector."""
MAX_LABEL: Final = 317
"""Characters of a label's key: a prefix of 253, a slash, and a name of 63."""

NamespaceName = Annotated[str, Field(max_length=63, pattern=r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$")]
LabelKey = Annotated[str, Field(min_length=1, max_length=MAX_LABEL)]
LabelValue = Annotated[str, Field(max_length=63)]


class AllowedKind(StrEnum):
    """All kinds that stand for something in Coder."""

    GROUP = "CoderGroup"
    LICENSE = "CoderLicense"
    PROXY = "CoderWorkspaceProxy"
    TEMPLATE_ACL = "CoderTemplateACL"
    APPEARANCE = "CoderAppearance"
    USER = "CoderUser"


@dataclass(frozen=True, slots=True)
class Demand:
    """What an object asks of its CoderDeployment."""

    kind: str
    organization: str | None = None
    """None for what belongs to the whole deployment."""
    roles: frozenset[str] | None = None
    """That it gives or takes; None when it leaves them alone."""
    workload: bool = False


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(KindModel):
    key: LabelKey
    operator: Operator
    values: Annotated[tuple[LabelValue, ...], Field(max_length=MAX_ENTRIES)] | None = None

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values, Exists and DoesNotExist have none",
            field_path=".values",
        ),
    )

    def is_met(self, labels: Mapping[str, str]) -> bool:
        """As Kubernetes reads it: a label that is not there is in no list."""
        there, listed = self.key in labels, labels.get(self.key) in (self.values or ())
        return {
            Operator.IN: there and listed,
            Operator.NOT_IN: not (there and listed),
            Operator.EXISTS: there,
            Operator.DOES_NOT_EXIST: not there,
        }[self.operator]


class NamespaceSelector(KindModel):
    match_labels: Annotated[dict[str, LabelValue], Field(max_length=MAX_SELECTED)] | None = None
    match_expressions: Annotated[tuple[Requirement, ...], Field(max_length=MAX_SELECTED)] | None = None

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "has(self.matchLabels) && size(self.matchLabels) > 0 || "
            "has(self.matchExpressions) && size(self.matchExpressions) > 0",
            'an empty selector selects nothing here: for all namespaces, say namespaces: ["*"]',
        ),
    )

    def selects(self, labels: Mapping[str, str]) -> bool:
        wanted, rules = self.match_labels or {}, self.match_expressions or ()
        if not wanted and not rules:
            return False
        return wanted.items() <= labels.items() and all(rule.is_met(labels) for rule in rules)


class Allowance(KindModel):
    namespaces: (
        Annotated[tuple[NamespaceName, ...], Field(min_length=1, max_length=MAX_NAMESPACES), ListSet()] | None
    ) = None
    """Whom it is for: these namespaces; "*" is all."""
    namespace_selector: NamespaceSelector | None = None
    """Whom it is for: namespaces with these labels. The operator must be allowed to get those namespaces."""
    kinds: Annotated[tuple[AllowedKind, ...], Field(min_length=1, max_length=len(AllowedKind)), ListSet()] | None = None
    """Which kinds they may declare. Default: all."""
    organizations: (
        Annotated[tuple[Organization, ...], Field(min_length=1, max_length=MAX_ENTRIES), ListSet()] | None
    ) = None
    """In which organizations, by the name or id that the objects use. Then only for what is in an organization: groups,
    and ACLs of templates by name. Licences, proxies, appearance and users belong to the whole deployment, and need an
    entry without organizations. Default: all."""
    roles: (
        Annotated[
            tuple[Annotated[str, Field(max_length=64, pattern=r"^(\*|[A-Za-z0-9]+([-_][A-Za-z0-9]+)*)$")], ...],
            Field(max_length=MAX_ENTRIES),
            ListSet(),
        ]
        | None
    ) = None
    """Which roles CoderUsers may give and take; "*" is all. Default: none, so that they must leave spec.roles out."""
    workload: bool = False
    """Whether CoderWorkspaceProxies may have spec.workload, which the operator runs in their namespace with any image.
    Default: false."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "has(self.namespaces) != has(self.namespaceSelector)",
            "an entry needs either namespaces or namespaceSelector",
        ),
    )

    def names(self, namespace: str) -> bool:
        """Whether the entry is for that namespace by name."""
        named = self.namespaces or ()
        return namespace in named or ALL in named

    def is_for(self, namespace: str, labels: Mapping[str, str] | None) -> bool:
        """By name or by the namespace's labels, which are None where nobody knows them."""
        selects = self.namespace_selector is not None and bool(labels) and self.namespace_selector.selects(labels or {})
        return self.names(namespace) or selects

    def lacks(self, demand: Demand) -> str:
        """What the entry does not allow, as its field says it; "" when it allows all."""
        if self.kinds is not None and demand.kind not in self.kinds:
            return f"kinds: {demand.kind}"
        if self.organizations is not None and demand.organization not in self.organizations:
            return f"organizations: {demand.organization or f'a {demand.kind} is of the whole deployment'}"
        if not self._gives(demand.roles):
            return f"roles: {', '.join(sorted(demand.roles or ())) or 'none, so spec.roles must be left out'}"
        if demand.workload and not self.workload:
            return "workload: true"
        return ""

    def _gives(self, roles: frozenset[str] | None) -> bool:
        given = set(self.roles or ())
        return roles is None or (self.roles is not None and (ALL in given or roles <= given))


def entries_for(
    entries: Sequence[Allowance], namespace: str, labels: Mapping[str, str] | None
) -> tuple[Allowance, ...]:
    return tuple(entry for entry in entries if entry.is_for(namespace, labels))


def refusal(entries: Sequence[Allowance], namespace: str, demand: Demand) -> str:
    """Why none of the `entries`, which are those for the namespace, lets the object be; "" when one does."""
    if not entries:
        return f"does not list namespace {namespace} in spec.allowedNamespaces or spec.allow"
    missing = [entry.lacks(demand) for entry in entries]
    if "" in missing:
        return ""
    lacking = " or ".join(dict.fromkeys(missing))
    return f"does not allow namespace {namespace} this; an entry of spec.allow for it needs {lacking}"
