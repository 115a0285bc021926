"""What is told of carriers beyond the records: Lookup's answers, and prefixes of numbers.

The hot path only looks into dictionaries. A number that nothing is known of is offered to Lookup,
which works it off on a thread of its own, or never.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.carrier import Told
from streams.prefix import PrefixOf
from streams.privacy import RecipientHasher
from streams.records import CONNECTOR, LABEL, Reading
from streams.source import Source

Labels = tuple[str, str | int | None, str | None, str | None]
"""Status, code, carrier and region of a record, in its own words."""
FullLabels = tuple[str, str | int | None, str | Told | None, str | None]
"""The same with all that is told of the carrier: what its kind goes by."""


class Lookups(Protocol):
    """Answers as far as they are known, and a place to ask for others. Never blocks."""

    @property
    def known(self) -> Mapping[int, str]:
        """Carrier id by recipient hash; '' where there is no answer yet, or never was one."""
        ...

    @property
    def sampled_below(self) -> int:
        """A recipient hash below this one is asked for although nothing failed."""
        ...

    def offer(self, recipient: int, number: str, failed: bool) -> None: ...


class Missed(NamedTuple):
    """A reading's place and the hash of its number, of which Lookup has not been asked."""

    place: int
    recipient: int


class Teller:
    """Adds to the labels of one source's readings what is told of their carriers elsewhere."""

    def __init__(
        self,
        hasher: RecipientHasher,
        prefix_of: PrefixOf | None = None,
        lookups: Lookups | None = None,
        parameter: bool = False,
    ) -> None:
        """`parameter`: a carrier that readings name is the callback URL's, which Lookup knows better."""
        self._hasher, self._prefix_of, self._lookups = hasher, prefix_of, lookups
        self._parameter = parameter
        self._missed: list[Missed] = []

    @property
    def looks_up(self) -> bool:
        return self._lookups is not None

    def tell(self, labels: list[Labels], readings: Sequence[Reading]) -> Sequence[FullLabels]:
        """The labels, each carrier with what more is told of it."""
        self._missed = []
        if self._lookups is None and all(map(_says, {carrier for _, _, carrier, _ in labels})):
            return labels
        numbers = [r.to or "" for r in readings]
        answers = self._look_up(labels, numbers, self._lookups.known) if self._lookups else {}
        prefixes = self._prefix_of.of_many(numbers) if self._prefix_of else {}
        if not answers and not prefixes:
            return labels
        full: list[FullLabels] = list(labels)
        for i in answers.keys() | prefixes.keys():
            status, code, carrier, region = labels[i]
            full[i] = (status, code, Told(carrier, answers.get(i, ""), prefixes.get(i, "")), region)
        return full

    def _look_up(
        self, labels: list[Labels], numbers: Sequence[str], known: Mapping[int, str]
    ) -> dict[int, str]:
        """Lookup's answers by place; notes the places of which there is none yet."""
        hashes = self._hasher.many(numbers).tolist()
        found = list(map(known.get, hashes))
        if None in found:
            self._missed = [
                Missed(i, recipient)
                for i, (answer, recipient) in enumerate(zip(found, hashes, strict=True))
                if answer is None and numbers[i] and not self._is_told(labels[i][2])
            ]
        return {i: answer for i, answer in enumerate(found) if answer}

    def _is_told(self, carrier: str | None) -> bool:
        """Whether the provider tells the carrier, which Lookup does not know better."""
        return not self._parameter and _says(carrier) and not (carrier or "").startswith(LABEL)

    def ask(self, readings: Sequence[Reading], rows: Sequence[int], fails: NDArray[np.bool_]) -> None:
        """Offers what `tell` missed to Lookup: failed ones, and a sample of the rest."""
        if self._lookups is None:
            return
        below = self._lookups.sampled_below
        for place, recipient in self._missed:
            failed = bool(fails[rows[place]])
            if failed or recipient < below:
                self._lookups.offer(recipient, readings[place].to or "", failed)


def tellers_of(
    sources: Iterable[Source],
    hasher: RecipientHasher,
    prefix_of: PrefixOf | None = None,
    lookups: Lookups | None = None,
) -> dict[str, Teller]:
    """By source, for those whose carriers more is told of; a configured carrier is told before a prefix."""
    tellers = {}
    for s in sources:
        prefixes = None if s.config.carrier else prefix_of
        asked = lookups if s.config.lookup else None
        if prefixes or asked:
            tellers[s.name] = Teller(hasher, prefixes, asked, s.carrier_is_parameter)
    return tellers


def _says(carrier: str | None) -> bool:
    """Whether a carrier is told with the record: by the provider, or by the user."""
    return carrier is not None and carrier != "" and not carrier.startswith(CONNECTOR)
