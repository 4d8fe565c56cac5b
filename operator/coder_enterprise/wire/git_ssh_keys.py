"""A user's SSH key for Git, as the API shows it. Names and types are those of Coder's Go SDK."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class GitSSHKey(WireModel):
    user_id: UUID
    created_at: datetime
    updated_at: datetime
    public_key: str
    """In the form of OpenSSH, with a line's end."""


GIT_SSH_KEY: Final[Shape[GitSSHKey]] = Shape(View(GitSSHKey))
