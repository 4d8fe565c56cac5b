"""Where Grafana shows the figures of a Coder: a link to the dashboard that the chart brings. Asked by the templates.

That dashboard links to the page itself, by its variable `page`. Nothing is read from there.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from coder_enterprise.kinds.machinery.resource import Key

DASHBOARD: Final = "coder-enterprise"
"""Its uid; a test compares it with the file."""
VARIABLE: Final = "var-deployment"
_WITHIN: Final = "/:[]@!$&'()*+,;=~-._%"


def parse_grafana(text: str) -> str:
    """The address without what may follow it. Raises ValueError for what is none, or no place for a link to lead to."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError("it is no http:// or https:// address, such as https://grafana.example.com")
    if "@" in parts.netloc:
        raise ValueError("it has a user or a password in it, which everybody would see who looks: leave them out")
    if any(each.isspace() for each in parts.netloc + text[:1] + text[-1:]) or set(text) & set("\t\r\n"):
        raise ValueError("it has a space in it, or a line break: leave it out")
    if "?" in text or "#" in text:
        raise ValueError("it has more than the address of Grafana: leave out what follows ? or #")
    return quote(text, safe=_WITHIN).rstrip("/")


def dashboard(grafana: str, deployment: Key) -> str:
    """The dashboard of that CoderDeployment alone, as the metrics name it; "" without a Grafana."""
    if not grafana:
        return ""
    return f"{grafana}/d/{DASHBOARD}?{urlencode({VARIABLE: f'{deployment.namespace}/{deployment.name}'})}"
