"""Which carrier an outcome is counted under, by order of trust.

1, 2  what the record itself says: the destination's MCC and MNC, or the operator's name
3     what Lookup answered for the number
4     the user's own word: the `carrier` parameter of the callback URL, a tag
5     the connection that the record came over, by configuration
6     the number's prefix, where numbers do not port
7     unknown
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from streams.networks import Networks
from streams.networks.rows import NETWORK
from streams.records import CONNECTOR, LABEL, UNKNOWN


class CarrierSource(StrEnum):
    """Who told the carrier: the field `carrier_source` of an outcome."""

    RECORD = "record"
    LOOKUP = "lookup"
    CONNECTOR = "connector"
    PREFIX = "prefix"
    UNKNOWN = "unknown"


class Checked(StrEnum):
    """What Lookup says beside what is told with the record; '' where one of them says nothing."""

    NOT = ""
    SAME = "same"
    PORTED = "ported"


class Told(NamedTuple):
    """Everything that is told of a record's carrier, when it is more than the record's own words."""

    given: str | None
    """As in a reading: an id, a name, CONNECTOR and an id, or LABEL and either."""
    lookup: str = ""
    """An id, as Lookup's answer was understood; '' for none."""
    prefix: str = ""
    """An id, as the number's prefix tells; '' for none."""


class Carrier(NamedTuple):
    """The carrier of an outcome, who told it, and whether Lookup agrees."""

    id: str
    source: CarrierSource
    checked: Checked = Checked.NOT


NOBODY = Carrier(UNKNOWN, CarrierSource.UNKNOWN)


class CarrierOf:
    """The order of trust for one source. Pure."""

    def __init__(
        self, networks: Networks, default: str, connectors: Mapping[str, str], parameter: bool = False
    ) -> None:
        """`parameter`: what readings call the carrier is always the callback URL's parameter."""
        self._networks, self._parameter = networks, parameter
        self._default = networks.id_of(default)
        self._connectors = {name: networks.id_of(carrier) for name, carrier in connectors.items()}

    def __call__(self, told: str | Told | None, country: str = "") -> Carrier:
        """`country`: the number's, ISO 3166-1, where it is known."""
        given, lookup, prefix = told if isinstance(told, Told) else (told, "", "")
        own_word = self._parameter
        if given and given.startswith(LABEL):
            given, own_word = given[len(LABEL) :], True
        over = given[len(CONNECTOR) :] if given and given.startswith(CONNECTOR) else None
        said = self._networks.id_of(given, country) if over is None else UNKNOWN
        checked = _compare(said, lookup)
        if said != UNKNOWN and not (lookup and own_word):
            return Carrier(said, CarrierSource.RECORD, checked)
        if lookup:
            return Carrier(lookup, CarrierSource.LOOKUP, checked)
        connected = self._connectors.get(over or "", self._default)
        if connected != UNKNOWN:
            return Carrier(connected, CarrierSource.CONNECTOR)
        return Carrier(prefix, CarrierSource.PREFIX) if prefix else NOBODY


def _compare(said: str, lookup: str) -> Checked:
    """Only two networks can be compared: a name that the table does not know may be either."""
    if not (NETWORK.fullmatch(said) and NETWORK.fullmatch(lookup)):
        return Checked.NOT
    return Checked.SAME if said == lookup else Checked.PORTED
