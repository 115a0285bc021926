"""Which open incident holds retries of a message. Pure; what was open when is in the incidents themselves.

incident   ........|==== open ====|......
holds what fails      |===========|         half a minute later: by then it is known everywhere
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from alerts.records import ALL, Incident
from alerts.spells import Spell
from streams.records import BUCKET_S, SeriesKey
from streams.rules import RuleBook

KNOWN_AFTER_MS = 30_000
"""Buckets close, and are decided, so long after what is in them has failed, with some room."""
REMEMBERED_MS = 86_400_000
"""What ended so long ago holds nothing that is advised on now."""


class _Holding(NamedTuple):
    spell: Spell
    rule: str
    key: str


class Held:
    """The spells of all incidents as of one bucket."""

    def __init__(self, incidents: Iterable[Incident], bucket_s: int, book: RuleBook) -> None:
        """`bucket_s` is the last bucket decided, -1 for none."""
        self._until_ms = (bucket_s + BUCKET_S) * 1000 if bucket_s >= 0 else 0
        self._rules = {rule.name: rule for rule in book.rules}
        self._book = book
        oldest_ms = self._until_ms - REMEMBERED_MS
        found = (_Holding(spell, i.rule, i.key) for i in incidents for spell in i.spells)
        self._holdings = sorted(h for h in found if not h.spell.until_ms or h.spell.until_ms > oldest_ms)
        self._of_key: dict[SeriesKey, tuple[_Holding, ...]] = {}

    def knows(self, failed_ms: int) -> bool:
        """Whether all is decided that may hold what failed then."""
        return self._until_ms + KNOWN_AFTER_MS >= failed_ms

    def by(self, key: SeriesKey, sender: str, failed_ms: int) -> str | None:
        """The incident, the first one opened where several hold it, or None. `sender` as people see it."""
        at_ms = failed_ms - KNOWN_AFTER_MS
        lasting = (h for h in self._covering(key) if h.spell.lasts_at(at_ms))
        return next((h.key for h in lasting if not h.spell.senders or sender in h.spell.senders), None)

    def _covering(self, key: SeriesKey) -> tuple[_Holding, ...]:
        found = self._of_key.get(key)
        if found is None:
            found = tuple(h for h in self._holdings if self._covers(h, key))
            self._of_key[key] = found
        return found

    def _covers(self, holding: _Holding, key: SeriesKey) -> bool:
        rule, spell = self._rules.get(holding.rule), holding.spell
        here = spell.carrier in (ALL, key.carrier) and spell.region in (ALL, key.region)
        return rule is not None and here and self._book.failing(rule, key)


class Latest:
    """`Held` of what the station shows now, for another thread; made anew when that has changed."""

    def __init__(self, read: Callable[[], tuple[tuple[Incident, ...], int]], book: RuleBook) -> None:
        """`read` gives incidents and the last bucket decided, both of one moment."""
        self._read, self._book = read, book
        self._incidents: tuple[Incident, ...] = ()
        self._bucket_s = -1
        self._held = Held((), -1, book)

    def __call__(self) -> Held:
        incidents, bucket_s = self._read()
        if incidents is not self._incidents or bucket_s != self._bucket_s:
            self._incidents, self._bucket_s = incidents, bucket_s
            self._held = Held(incidents, bucket_s, self._book)
        return self._held
