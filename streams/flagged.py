"""Where incidents are open, as the topic `incidents` has it: those series must be named although
there are more than the cap. It is read only while there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from streams.errors import MonitorError
from streams.exposition import Key

log = logging.getLogger(__name__)

READ_EVERY_S = 60.0
ALL = "all"
"""Carrier or region of an incident that spans them."""

Read = Callable[[], Awaitable[dict[bytes, bytes]]]
"""The newest value of each key of `incidents`."""


class _Incident(msgspec.Struct):
    """What matters here of an incident; see `alerts.records`."""

    state: str
    carrier: str
    region: str
    current_carrier: str = ""
    current_region: str = ""


_decoder = msgspec.json.Decoder(_Incident)


def open_places(values: Iterable[bytes]) -> frozenset[Key]:
    """(carrier, region) of the open incidents, as they are now; everything (`all`, `all`) left out."""
    found = set()
    for value in values:
        one = _decoder.decode(value)
        place = one.current_carrier or one.carrier, one.current_region or one.region
        if one.state == "open" and place != (ALL, ALL):
            found.add(place)
    return frozenset(found)


class Flagged:
    """Whether an incident is open at (carrier, region); the region is '' for any."""

    def __init__(self) -> None:
        self._places: frozenset[Key] = frozenset()

    def __call__(self, pair: Key) -> bool:
        carrier, region = pair
        if not region:
            return any(place[0] == carrier for place in self._places)
        return not self._places.isdisjoint({pair, (carrier, ALL), (ALL, region)})

    async def watch(self, read: Read, wanted: Callable[[], bool]) -> None:
        """Without end; what can not be read leaves it as it was."""
        while True:
            if wanted():
                try:
                    self._places = open_places((await read()).values())
                except (MonitorError, msgspec.DecodeError) as e:
                    log.warning("which series are flagged is not known: %s", e)
            await asyncio.sleep(READ_EVERY_S)
