"""What Coder keeps of a workspace proxy: how it differs from spec, and the writes of it and of the token's Secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from coder_enterprise.client import errors, proxy_records
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.changes import Change, Setting, paths_of
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.lookups import just_made
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.proxy.find import ObservedProxy, listed
from coder_enterprise.kinds.proxy.spec import ProxySpec
from coder_enterprise.kinds.proxy.token import TOKEN_PATH, fingerprint, secret_name
from coder_enterprise.kinds.proxy.workload_spec import PRIMARY_URL_KEY, TOKEN_KEY
from coder_enterprise.wire.proxies import CreateWorkspaceProxyRequest, PatchWorkspaceProxy

DEFAULT_ICON: Final = "/emojis/1f310.png"


def declared_name(resource: Resource, spec: ProxySpec) -> str:
    return spec.name or resource.key.name


WRITTEN_TO_CODER: Final = frozenset({"spec", "spec.name", "spec.displayName", "spec.icon", TOKEN_PATH})
"""Paths of the changes that are carried out there."""


def settings(desired: ProxySpec, name: str, proxy: proxy_records.WorkspaceProxy) -> list[Setting]:
    return [
        Setting("spec.name", name, proxy.name),
        Setting("spec.displayName", desired.display_name, proxy.display_name),
        Setting("spec.icon", desired.icon, proxy.icon_url),
    ]


async def write_secret(context: Context, desired: ProxySpec, observed: ObservedProxy, token: str) -> ObservedProxy:
    values = {TOKEN_KEY: token, PRIMARY_URL_KEY: observed.primary_url}
    await context.beside.write_secret(observed.resource, secret_name(observed.resource, desired), values)
    return replace(observed, secret=values)


async def write_proxy(
    context: Context, desired: ProxySpec, observed: ObservedProxy, changes: Sequence[Change]
) -> ObservedProxy:
    """With a new token where the changes name one."""
    new_token = TOKEN_PATH in paths_of(changes)
    if observed.proxy is None:
        proxy, token = await _create(context, desired, observed.name)
    else:
        proxy, token = await _update(context, observed, observed.proxy, changes, new_token=new_token)
    listed(context).change(lambda index: index.put(proxy))
    observed = replace(observed, proxy=proxy, external_id=proxy.id, fresh=True)
    if not new_token:
        return observed
    observed = await write_secret(context, desired, observed, token)
    return replace(observed, issued=fingerprint(token))


async def _create(context: Context, desired: ProxySpec, name: str) -> tuple[proxy_records.WorkspaceProxy, str]:
    request = CreateWorkspaceProxyRequest(
        name=name, display_name=desired.display_name or name, icon=desired.icon or DEFAULT_ICON
    )
    try:
        return await context.client.proxies.create(request)
    except errors.AlreadyTaken as error:
        raise just_made(f"a workspace proxy named {name}", error) from None


async def _update(
    context: Context,
    observed: ObservedProxy,
    proxy: proxy_records.WorkspaceProxy,
    changes: Sequence[Change],
    *,
    new_token: bool,
) -> tuple[proxy_records.WorkspaceProxy, str]:
    """Servers refuse a change without id, name, display name and icon, and an empty one of them."""
    if observed.namesake is not None and observed.namesake.id != proxy.id:
        raise stalled(
            Reason.ALREADY_EXISTS,
            f"spec.name: the name {observed.name} belongs to another workspace proxy ({observed.namesake.id}); "
            "choose another one",
        )
    named = {change.path: str(change.after) for change in changes}
    request = PatchWorkspaceProxy(
        id=proxy.id,
        name=named.get("spec.name", proxy.name),
        display_name=named.get("spec.displayName", proxy.display_name) or observed.name,
        icon=named.get("spec.icon", proxy.icon_url) or DEFAULT_ICON,
        regenerate_token=new_token,
    )
    return await context.client.proxies.update(proxy.id, request)
