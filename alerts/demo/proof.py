"""What is known of each incident and its pages, and whether all that was labelled has been seen.

Pure: incidents and pages go in as they are heard of, in any order. Times are epoch milliseconds on
the demonstration's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from alerts.desk import CRITICAL_SUFFIX
from alerts.records import ALL, Incident, State
from streams.simulate.truth import Label

SLACK_MS = 60_000
"""An incident that is found so long after the labelled end may still be that one."""


@dataclass
class Proof:
    """Follows the labelled incidents from onset to the resolved page."""

    labels: Sequence[Label]
    incidents: dict[str, Incident] = field(default_factory=dict)
    open_pages: set[str] = field(default_factory=set)
    triggers: dict[str, int] = field(default_factory=dict)
    """Pager key -> how often somebody was told."""
    resolves: int = 0
    advised: Counter[str] = field(default_factory=Counter)
    """Failed messages by decision."""
    holding: dict[str, bool] = field(default_factory=dict)
    """By incident: whether it holds retries still."""

    def incident(self, incident: Incident) -> None:
        self.incidents[incident.key] = incident

    def page(self, dedup_key: str, effect: str) -> None:
        """`effect` in the receiver's words."""
        if effect == "opened":
            self.open_pages.add(dedup_key)
            self.triggers[dedup_key] = self.triggers.get(dedup_key, 0) + 1
        elif effect == "resolved":
            self.open_pages.discard(dedup_key)
            self.resolves += 1

    def advice(self, decision: str) -> int:
        """How many have had this decision by now."""
        self.advised[decision] += 1
        return self.advised[decision]

    def hold(self, key: str, *, released: bool) -> None:
        self.holding[key] = not released

    def label_of(self, incident: Incident) -> Label | None:
        """The label that this incident is about: the exact scope first, else one that it touches."""
        near = [x for x in self.labels if _in_time(x, incident) and _touches(x, incident)]
        return next((x for x in near if is_exact(x, incident)), near[0] if near else None)

    def label_of_key(self, key: str) -> Label | None:
        incident = self.incidents.get(key)
        return self.label_of(incident) if incident else None

    @property
    def unlabelled(self) -> list[Incident]:
        """Incidents whose scope at opening is no label's."""
        return [i for i in self.incidents.values() if not any(is_exact(x, i) for x in self.labels)]

    @property
    def missing(self) -> list[str]:
        """What has not been seen yet, in words, one a label; empty when all has."""
        return [text for label in self.labels if (text := self._lacks(label))]

    def _lacks(self, label: Label) -> str:
        name = f"{label.rule} {label.scope} {label.carrier}/{label.region}"
        own = [i for i in self.incidents.values() if self.label_of(i) is label]
        if not own:
            return f"{name}: no incident has opened"
        if not any(self._paged(i) for i in own):
            return f"{name}: open with severity {own[0].severity.value}, nobody was paged"
        if any(i.state is State.OPEN for i in own):
            return f"{name}: the incident has not resolved"
        still = [key for i in own for key in keys_of(i) if key in self.open_pages]
        if still:
            return f"{name}: the page has not resolved"
        holding = [self.holding[i.key] for i in own if i.key in self.holding]
        if not holding:
            return f"{name}: nobody was told to hold retries"
        return f"{name}: retries are held still" if any(holding) else ""

    def _paged(self, incident: Incident) -> bool:
        return any(key in self.triggers for key in keys_of(incident))


def incident_key_of(dedup_key: str) -> str:
    """The incident that a pager key belongs to."""
    return dedup_key.removesuffix(CRITICAL_SUFFIX)


def keys_of(incident: Incident) -> Iterable[str]:
    return incident.key, incident.key + CRITICAL_SUFFIX


def is_exact(label: Label, incident: Incident) -> bool:
    """Whether the incident was opened at the labelled scope, while it lasted or soon after."""
    same = (label.rule, label.scope, label.carrier, label.region) == (
        incident.rule,
        incident.scope,
        incident.carrier,
        incident.region,
    )
    return same and _in_time(label, incident)


def _in_time(label: Label, incident: Incident) -> bool:
    return label.onset_ms <= incident.detected_ms <= label.end_ms + SLACK_MS


def _touches(label: Label, incident: Incident) -> bool:
    """Whether some traffic belongs to both; `US` holds `US-CA`."""
    same_carrier = ALL in (label.carrier, incident.carrier) or label.carrier == incident.carrier
    a, b = label.region, incident.region
    same_region = ALL in (a, b) or a == b or a.startswith(f"{b}-") or b.startswith(f"{a}-")
    return label.rule == incident.rule and same_carrier and same_region
