"""The proxy by which a URL is reached from here: HTTPS_PROXY and NO_PROXY, as other tools read them."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_of(url: str) -> str | None:
    """The proxy's URL, None for none. What is not `https`, a receiver next door, is reached as it is."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get("https")
