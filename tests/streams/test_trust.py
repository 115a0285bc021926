"""Whose word is taken: networks of proxies."""

from __future__ import annotations

import pytest

from streams.errors import ConfigError
from streams.trust import networks, trust


@pytest.mark.parametrize("listed", ["nowhere", "10.0.0.1/8", "300.0.0.0/8"])
def test_a_proxy_that_is_no_network_is_refused(listed: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.proxies = .*allowed are networks such as 10\.0\.0\.0/8"):
        networks(listed, "x.proxies")


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("11.1.2.3", False),
        ("", False),
        ("10.1.2.3, 11.1.2.3", False),
    ],
)
def test_a_peer_is_believed_by_its_address(peer: str, believed: bool) -> None:
    assert trust("10.0.0.0/8, 2001:db8::/32", "k")(peer) is believed
    assert trust("", "k")(peer) is False
