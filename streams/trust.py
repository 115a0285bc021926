"""Which peers are proxies whose headers are believed: networks, as they are configured. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from streams.errors import ConfigError

Network = IPv4Network | IPv6Network


def networks(listed: str, key: str) -> tuple[Network, ...]:
    """The networks that the setting `key` lists with commas. Raises ConfigError for what is none."""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    try:
        return tuple(ip_network(name) for name in names)
    except ValueError as e:
        raise ConfigError(
            f"{key} = '{listed}': {e}; allowed are networks such as 10.0.0.0/8, with commas"
        ) from None


def trust(listed: str, key: str) -> Callable[[str], bool]:
    """Whether the address of a peer lies in one of them. Raises ConfigError as `networks`."""
    trusted = networks(listed, key)

    @lru_cache(maxsize=1024)
    def is_trusted(peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address  # as a listener on `::` sees IPv4
        return any(plain in network for network in trusted)

    return is_trusted
