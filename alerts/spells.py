"""When, and of what, an incident holds retries back. Pure: a replay of the transitions gives the same."""

from __future__ import annotations

from typing import NamedTuple

MOST_SPELLS = 32
"""Of one incident, the newest; the oldest go first."""


class Where(NamedTuple):
    """What is held."""

    scope: str
    carrier: str
    region: str
    senders: tuple[str, ...] = ()
    """Of these senders alone, as they are shown to people; empty for all."""


class Spell(NamedTuple):
    """`[from_ms, until_ms)`, ends of deciding buckets, epoch ms; `until_ms` is 0 while it lasts."""

    from_ms: int
    until_ms: int
    scope: str
    carrier: str
    region: str
    senders: tuple[str, ...] = ()

    @property
    def where(self) -> Where:
        return Where(self.scope, self.carrier, self.region, self.senders)

    def lasts_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (not self.until_ms or at_ms < self.until_ms)


def followed(spells: tuple[Spell, ...], where: Where | None, at_ms: int) -> tuple[Spell, ...]:
    """The spells once `where` is held from `at_ms` on, None for nothing. The same again changes nothing."""
    last = spells[-1] if spells and not spells[-1].until_ms else None
    if (last.where if last else None) == where:
        return spells
    ended = (*spells[:-1], last._replace(until_ms=at_ms)) if last else spells
    begun = (Spell(at_ms, 0, *where),) if where else ()
    return (*ended, *begun)[-MOST_SPELLS:]


def held_last(spells: tuple[Spell, ...]) -> tuple[int, int]:
    """`[from_ms, until_ms)` of the last time that something was held, whatever scopes it went through;
    `until_ms` is 0 while it lasts. There is one spell at least."""
    from_ms = spells[-1].from_ms
    for spell in reversed(spells[:-1]):
        if spell.until_ms != from_ms:
            break
        from_ms = spell.from_ms
    return from_ms, spells[-1].until_ms
