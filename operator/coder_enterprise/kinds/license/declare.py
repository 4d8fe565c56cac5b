"""The licences that Coder has, as specs of CoderLicenses."""

from __future__ import annotations

from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.secret_text import command

KEY = "license"
NOTE = "Coder never shows the text of a licence: make the Secret from the file that Coder sent"


async def license_declarations(context: Context) -> list[Declaration]:
    found = []
    for license_ in await context.client.licenses.list():
        name = f"license-{license_.id}"
        secrets = {name: command(name, KEY)}
        found.append(Declaration(str(license_.id), name, {"secretRef": {"name": name}}, notes=(NOTE,), secrets=secrets))
    return found
