"""The workspace proxies that Coder has, as specs of CoderWorkspaceProxies."""

from __future__ import annotations

from typing import Final

from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.declarations import Declaration, without_blanks

PRIMARY: Final = "primary"
"""The server itself, which is in the list of proxies."""
OBSERVED: Final = (
    "only observed: to manage the proxy here, set managementPolicy: Enforce and adoptionPolicy: Adopt; it gets a new "
    "token then, since Coder shows none twice, and must be restarted with it"
)


async def proxy_declarations(context: Context) -> list[Declaration]:
    listed = await context.client.server.workspace_proxies()
    return [
        Declaration(
            proxy.id,
            proxy.name,
            without_blanks(
                {
                    "managementPolicy": "Observe",
                    "name": proxy.name,
                    "displayName": proxy.display_name,
                    "icon": proxy.icon_url,
                }
            ),
            name_field="name",
            notes=(OBSERVED,),
        )
        for proxy in listed
        if not proxy.deleted and proxy.name.lower() != PRIMARY
    ]
