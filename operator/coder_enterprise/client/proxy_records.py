"""What the operator reads of workspace proxies; as `client.records`, whose rules these keep."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from coder_enterprise.client.records import Many, Record


class ProxyReport(Record):
    errors: Many[str] = ()
    warnings: Many[str] = ()


class ProxyStatus(Record):
    status: str = "unknown"
    report: ProxyReport = ProxyReport()


class WorkspaceProxy(Record):
    id: str
    name: str
    display_name: str = ""
    icon_url: str = ""
    path_app_url: str = ""
    """"" until it has registered for the first time."""
    wildcard_hostname: str = ""
    version: str = ""
    """What the proxy said of itself; servers below Coder 2.12 do not tell."""
    deleted: bool = False
    healthy: bool = False
    status: ProxyStatus = ProxyStatus()


class WrittenProxy(Record):
    """What creating or changing a proxy answers: in Coder both of these, in its documentation the proxy alone."""

    proxy: WorkspaceProxy
    proxy_token: str = Field("", repr=False)
    """"" unless a new one was made; it is shown this once."""

    @model_validator(mode="before")
    @classmethod
    def _either(cls, value: Any) -> Any:
        return value if isinstance(value, dict) and "proxy" in value else {"proxy": value}


class ProxyRegions(Record):
    regions: Many[WorkspaceProxy] = ()


class ProxyLists(Record):
    """All workspace proxies: the page documents an array of lists, and real servers answer one list."""

    lists: tuple[ProxyRegions, ...]
    documented: bool

    @model_validator(mode="before")
    @classmethod
    def _read_lists(cls, value: Any) -> Any:
        documented = isinstance(value, list)
        return {"lists": value if documented else [] if value is None else [value], "documented": documented}

    @property
    def proxies(self) -> tuple[WorkspaceProxy, ...]:
        return tuple(proxy for item in self.lists for proxy in item.regions)
