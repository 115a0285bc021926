"""Who may act on the incident pages, and who reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.doctor.finding import Finding, ok, warn
from alerts.doctor.gateway import nearly_everybody
from alerts.settings import Settings
from alerts.settings_pages import PROXIES


def check_incident_pages(settings: Settings) -> Iterator[Finding]:
    pages, url = settings.pages, settings.alerting.public_url
    readers = "whoever signs in" if pages.sign_in_to_read else "whoever reaches the port of the alerts role"
    ways = [f"the proxy's {pages.user_header}"] if pages.user_header else []
    ways += ["pages.token"] if pages.token else []
    acting = f"who acts is known by {' or '.join(ways)}" if ways else "nobody acts there"
    yield ok("incident pages", f"{readers} reads; {acting}")
    if pages.token and url.startswith("http:"):
        todo = "put a proxy with TLS in front, and set what people call"
        yield warn("incident pages", f"alerting.public_url = {url}: the token goes in clear", todo)
    for network in nearly_everybody(pages.trusted_proxies, PROXIES):
        todo = "name the addresses of your proxies alone: who is in it is whoever he says he is"
        yield warn("incident pages", f"{PROXIES}: {network} is nearly everybody", todo)
