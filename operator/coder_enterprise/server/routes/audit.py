"""/audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.pages import Search, page
from coder_enterprise.server.services.paging import Page
from coder_enterprise.wire.audit import AUDIT_LOGS

router = APIRouter(prefix=API, tags=["Audit"])


@router.get("/audit", **documented(AUDIT_LOGS))
async def list_audit_logs(caller: Authenticated, which: Annotated[Page, Depends(page)], q: Search = "") -> Response:
    return await caller.answer_list(AUDIT_LOGS, await caller.services.audit_logs.list(caller.actor, q, which))
