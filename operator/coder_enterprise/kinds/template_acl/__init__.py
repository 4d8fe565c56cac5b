"""CoderTemplateACL: who may use and who may administer a template.

The rules of Coder behind it: each template has one ACL, with a role per user and per group; a change is merged, and
the role "" takes an entry away. Everyone is the group with the organization's id. Coder does not show every entry that
it has: none of suspended and deleted users, below 2.15 none of dormant ones either, and a server that sends the
documented list shows no groups. So status remembers what was applied, and only what is shown is compared.
"""

from coder_enterprise.kinds.template_acl.kind import TemplateACLKind
from coder_enterprise.kinds.template_acl.spec import TemplateACLSpec

__all__ = ["TemplateACLKind", "TemplateACLSpec"]
