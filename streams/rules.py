"""Rules: which cells are failures (numerator) and which are eligible (denominator).

A rule looks at sources by their code profile, because the same code means different things at
different providers. A source whose table extends a profile is looked at like one of that profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streams.codes import family
from streams.records import CANARY, SeriesKey
from streams.settings import CodeTable, Rule, Source
from streams.source import profile_of

_NONE: frozenset[str] = frozenset()


def named(rules: Iterable[Rule], name: str) -> Rule | None:
    """None where no rule of that name is configured any more."""
    return next((rule for rule in rules if rule.name == name), None)


@dataclass(frozen=True)
class RuleBook:
    """The rules of a configuration, resolved against its sources."""

    rules: tuple[Rule, ...]
    profiles_of: Mapping[str, frozenset[str]]
    """By source: its code profile and those that it extends."""

    @classmethod
    def of(
        cls, rules: Sequence[Rule], sources: Sequence[Source], code_tables: Sequence[CodeTable] = ()
    ) -> RuleBook:
        return cls(tuple(rules), {s.name: family(profile_of(s), code_tables) for s in sources})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.rules)

    def sources_of(self, rule: Rule) -> tuple[str, ...]:
        """The sources that the rule looks at, by name."""
        every = sorted(self.profiles_of)
        return tuple(s for s in every if not rule.profiles or self.profiles_of[s] & set(rule.profiles))

    def eligible(self, rule: Rule, key: SeriesKey) -> bool:
        """Whether finals under `key` belong to the rule's denominator."""
        if key.source == CANARY:
            return False
        return not rule.profiles or not self.profiles_of.get(key.source, _NONE).isdisjoint(rule.profiles)

    def failing(self, rule: Rule, key: SeriesKey) -> bool:
        """Whether finals under `key` belong to the rule's numerator."""
        hit = key.code in rule.codes or key.outcome_class in rule.classes
        return hit and key.outcome_class != "delivered" and self.eligible(rule, key)
