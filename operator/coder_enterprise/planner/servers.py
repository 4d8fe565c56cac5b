"""Which Coder each CoderDeployment of the manifests is, and with what token it may be asked.

Called by `planner.planning`. A token comes from the Secret among the manifests, from the environment by
`--token-from-env`, or is the session token that goes with `CODER_URL`. Tokens are never shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from coder_enterprise.client import errors
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.failures import Called
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.client.operations import OPERATIONS, CoderRight
from coder_enterprise.kinds.deployment.urls import url_fault
from coder_enterprise.kinds.machinery import secret_text
from coder_enterprise.kinds.machinery.base import Context, ManagedKind
from coder_enterprise.kinds.machinery.connection import SecretKeyRef
from coder_enterprise.kinds.machinery.consent import Allowance
from coder_enterprise.kinds.machinery.errors import KindError, waiting
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.kinds.machinery.suspension import suspension
from coder_enterprise.kinds.registry import CONNECTION_KIND
from coder_enterprise.planner.beside import BesideManifests
from coder_enterprise.planner.manifests import Manifest, Manifests, secret_values

URL: Final = "CODER_URL"
TOKEN: Final = "CODER_SESSION_TOKEN"  # noqa: S105 - a variable's name


@dataclass(frozen=True)
class Access:
    """What the caller gives beside the manifests."""

    url: str = ""
    """For CoderDeployments that are not among the manifests, or whose Secret is not; "" is none."""
    token: str = field(default="", repr=False)
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name of a CoderDeployment: `name` or `namespace/name`."""


@dataclass
class Server:
    """One Coder, as a plan sees it."""

    key: Key
    url: str
    context: Context
    allowances: tuple[Allowance, ...] | None
    """What its CoderDeployment lets other namespaces do; None when it is not among the manifests."""
    features: Mapping[str, bool] | None = None
    """None when the server does not tell."""
    unseen: tuple[CoderRight, ...] = ()
    """What the token may not read: that is as good as not there, for a plan."""


async def get_to_know(server: Server, kinds: Iterable[ManagedKind[Any, Any]]) -> None:
    """Whether it accepts the token, which features it has, and what of these kinds the token may not read. Raises
    `errors.OperatorError` for a server that cannot be asked."""
    client = server.context.client
    await client.users.me()
    try:
        entitlements = await client.server.entitlements()
        server.features = {name: feature.enabled for name, feature in entitlements.features.items()}
    except (errors.APIError, errors.UnexpectedShape):
        server.features = None  # it does not tell
    server.unseen = await unseen(client, kinds)


async def unseen(client: CoderClient, kinds: Iterable[ManagedKind[Any, Any]]) -> tuple[CoderRight, ...]:
    """What of these kinds the token may not read; nothing where the server does not tell."""
    reads = sorted({right for kind in kinds for call in kind.calls if (right := _read_right(kind, call))})
    try:
        granted = await client.users.may(reads, somewhere=True) if reads else {}
    except (errors.APIError, errors.UnexpectedShape):
        return ()
    return tuple(right for right in reads if not granted[right])


def _read_right(kind: ManagedKind[Any, Any], call: str) -> CoderRight | None:
    """That a plan cannot do without."""
    known = OPERATIONS[call]
    return known.right if known.method == "GET" and call not in kind.attempts else None


def open_server(key: Key, manifests: Manifests, access: Access, beside: BesideManifests) -> Server:
    """Raises `KindError` or `errors.OperatorError` when nothing says how to reach it. Close its client."""
    declared = manifests.objects.get(key)
    _refuse_suspended(key, declared)
    settings = _settings(key, declared, manifests, access)
    client = CoderClient(settings)
    context = Context(client=client, directory=Directory(client), beside=beside, users_newer_than=now())
    allowances = None
    if declared is not None:
        allowances = tuple(CONNECTION_KIND.allowances(CONNECTION_KIND.spec_model.model_validate(declared.body["spec"])))
    return Server(key, settings.url, context, allowances)


def _refuse_suspended(key: Key, declared: Manifest | None) -> None:
    spec = declared.body.get("spec") if declared is not None else None
    stopped = suspension(spec) if isinstance(spec, dict) else None
    if stopped:
        raise waiting(Reason.WAITING_FOR_DEPLOYMENT, f"{key}: {stopped.message}")


def _settings(key: Key, declared: Manifest | None, manifests: Manifests, access: Access) -> ConnectionSettings:
    token = access.tokens.get(key.namespaced_name) or access.tokens.get(key.name)
    if declared is not None:
        own = _declared_settings(key, declared, manifests, token)
        if own is not None:
            return own
    if access.url and access.token:
        return _from_environment(access.url, access.token)
    raise NoAccess(_hint(key, declared))


class NoAccess(errors.OperatorError):
    """Nothing says where a CoderDeployment is, or with what token it may be asked."""

    reason = "SecretNotFound"


def _hint(key: Key, declared: Manifest | None) -> str:
    what = "its Secret is not" if declared is not None else "it is not"
    return (
        f"CoderDeployment {key.namespaced_name} cannot be asked: {what} among the manifests; set CODER_URL and "
        f"CODER_SESSION_TOKEN, or give its token with --token-from-env {key.name}=VARIABLE"
    )


def _declared_settings(
    key: Key, declared: Manifest, manifests: Manifests, token: str | None
) -> ConnectionSettings | None:
    """None without its Secrets."""
    try:
        spec = CONNECTION_KIND.spec_model.model_validate(declared.body.get("spec"))
    except ValidationError:
        raise NoAccess(f"{key} is not valid") from None
    values: dict[SecretKeyRef, str] = {}
    first, *others = CONNECTION_KIND.secrets(spec)  # the first one is the token
    if token is not None:
        values[first] = token
        others = [ref for ref in others if not ref.sent]
    else:
        others = [first, *others]
    for ref in others:
        held = secret_values(manifests.secrets.get((key.namespace, ref.name), {}))
        if ref.key not in held:
            return None
        values[ref] = held[ref.key]
    try:
        return CONNECTION_KIND.settings(spec, values)
    except KindError:
        raise
    except KeyError:  # SCIM's key, which a plan does without
        return CONNECTION_KIND.settings(spec.model_copy(update={"scim_secret_ref": None}), values)


def given_url(environment: Mapping[str, str]) -> str:
    """Of Coder; "" where none is given. Raises `NoAccess` for what `spec.url` could not be."""
    url = environment.get(URL, "").strip()
    fault = url_fault(url) if url else ""
    if fault:
        raise NoAccess(f"{URL} {fault}")
    return url


def given_token(environment: Mapping[str, str], variable: str) -> str:
    """As a Secret may hold it; "" where none is given. Raises `NoAccess` for what is none."""
    given = secret_text.token(environment.get(variable, ""))
    if given and not secret_text.is_sendable(given):
        raise NoAccess(f"{variable} holds no session token: that is one word of ASCII characters")
    return given


def _from_environment(url: str, token: str) -> ConnectionSettings:
    return ConnectionSettings(url.rstrip("/"), token, called=Called(URL, "SSL_CERT_FILE"), anywhere=True)


def environment_context(environment: Mapping[str, str]) -> Context:
    """For the Coder of CODER_URL and CODER_SESSION_TOKEN. Raises `NoAccess`. Close its client."""
    url, token = given_url(environment), given_token(environment, TOKEN)
    missing = [name for name, value in ((URL, url), (TOKEN, token)) if not value]
    if missing:
        raise NoAccess(f"{' and '.join(missing)} must be set: the address of Coder, and an owner's session token")
    client = CoderClient(_from_environment(url, token))
    beside = BesideManifests({}, {})
    return Context(client=client, directory=Directory(client), beside=beside, users_newer_than=now())
