"""Imports everything that our programs load: a step of the image's build, run by the Dockerfile after `trim.py`.

What is missing or was damaged ends the build with the name of the module.
"""

from __future__ import annotations

import importlib
import pkgutil
import zoneinfo
from typing import Final

import coder_enterprise

BY_NAME: Final = (
    "aiohttp._http_parser",
    "aiohttp._websocket.reader_c",
    "alembic.command",
    "asyncpg.protocol.protocol",
    "kubernetes.aio.config.exec_provider",
    "kubernetes.aio.config.google_auth",
    "kubernetes.aio.config.incluster_config",
    "kubernetes.aio.config.kube_config",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.off",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
"""What is looked for while a program runs."""
NOT_IMPORTED: Final = ("coder_enterprise.__main__", "coder_enterprise.server.storage.migrations.env")
"""One would run, the other only alembic can."""


def main() -> None:
    for module in pkgutil.walk_packages(coder_enterprise.__path__, "coder_enterprise."):
        if module.name not in NOT_IMPORTED:
            importlib.import_module(module.name)
    for name in BY_NAME:
        importlib.import_module(name)
    zoneinfo.ZoneInfo("Europe/Berlin")


if __name__ == "__main__":
    main()
