"""How the variables of a template version are shown: a sensitive value never."""

from __future__ import annotations

from coder_enterprise.server.errors import PreconditionFailed
from coder_enterprise.server.services.variables import Undecipherable, Variables
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.wire.template_versions import TemplateVersionVariable


def to_wire(row: TemplateVersion, variables: Variables) -> list[TemplateVersionVariable]:
    """Of a version that is imported: before, it is not known which are sensitive.

    One that an older server imported tells names and values alone. Raises `PreconditionFailed` for a value that cannot
    be deciphered.
    """
    known = {definition["name"]: definition for definition in row.variable_definitions}
    try:
        values = variables.plain(row)
    except Undecipherable as error:
        raise PreconditionFailed("A value of a template variable cannot be read.", str(error)) from None
    return [
        TemplateVersionVariable(
            name=item["name"],
            description=known.get(item["name"], {}).get("description", ""),
            type=known.get(item["name"], {}).get("type", "string"),
            value="" if item["sensitive"] else item["value"],
            default_value="" if item["sensitive"] else known.get(item["name"], {}).get("default_value", ""),
            required=known.get(item["name"], {}).get("required", False),
            sensitive=item["sensitive"],
        )
        for item in values
    ]
