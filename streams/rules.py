"""Rules: which cells are failures (numerator) and which are eligible (denominator).

A rule looks at sources by their code profile, because the same code means different things at
different providers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.records import SeriesKey
from streams.settings import Rule, Source
from streams.source import profile_of


@dataclass(frozen=True)
class RuleBook:
    """The rules of a configuration, resolved against its sources."""

    rules: tuple[Rule, ...]
    profile_of: Mapping[str, str]

    @classmethod
    def of(cls, rules: Sequence[Rule], sources: Sequence[Source]) -> RuleBook:
        return cls(tuple(rules), {s.name: profile_of(s) for s in sources})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.rules)

    def eligible(self, rule: Rule, key: SeriesKey) -> bool:
        """Whether finals under `key` belong to the rule's denominator."""
        return not rule.profiles or self.profile_of.get(key.source) in rule.profiles

    def failing(self, rule: Rule, key: SeriesKey) -> bool:
        """Whether finals under `key` belong to the rule's numerator."""
        hit = key.code in rule.codes or key.outcome_class in rule.classes
        return hit and key.outcome_class != "delivered" and self.eligible(rule, key)
