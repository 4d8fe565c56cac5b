"""/users/{user}/gitsshkey."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.git_ssh_keys import GIT_SSH_KEY

router = APIRouter(prefix=API, tags=["Users"])


@router.get("/users/{user}/gitsshkey", **documented(GIT_SSH_KEY))
async def get_git_ssh_key(user: str, caller: Authenticated) -> Response:
    return caller.answer(GIT_SSH_KEY, await caller.services.git_ssh_keys.get(caller.actor, user))


@router.put("/users/{user}/gitsshkey", **documented(GIT_SSH_KEY))
async def renew_git_ssh_key(user: str, caller: Authenticated) -> Response:
    return caller.answer(GIT_SSH_KEY, await caller.services.git_ssh_keys.renew(caller.actor, user))
