"""Silences: what opens and is shown as ever, but pages nobody. Pure.

    matchers (all of them) + [begin, end)  x  open incident at the end of a bucket --> silenced, by which

Judged at each bucket in event time, so that a replay of the same buckets and silences says the same.
Semantics of matchers: prometheus.io/docs/alerting/latest/configuration, section matcher.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from alerts.measure import scope_of
from alerts.records import Incident
from streams.commands import Matcher, Silence

NAMES = ("rule", "scope", "carrier", "region", "severity")
"""What matchers may name, as it is now: a scope that widens may leave a silence, or come under one."""
OPERATORS = ("=~", "!~", "!=", "=")
"""The longer ones first, as they are looked for."""
MOST_PATTERN = 200


def parse(text: str) -> Matcher:
    """`carrier=~310-.*` as a matcher. Raises ValueError, saying what is allowed."""
    found = re.fullmatch(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*', text)
    if found is None or found[1] not in NAMES:
        raise ValueError(f"must be NAME=VALUE (or !=, =~, !~), with a NAME of {', '.join(NAMES)}")
    matcher = Matcher(found[1], found[2], found[3])
    if why := _fault(matcher):
        raise ValueError(why)
    return matcher


def fault(silence: Silence) -> str | None:
    """Why a silence can not be taken, None when it can."""
    if not silence.matchers:
        return "it has no matcher, so it would silence everything"
    if silence.end_ms <= silence.begin_ms:
        return "it ends before it begins"
    return next((why for m in silence.matchers if (why := _fault(m))), None)


def of_incident(incident: Incident) -> tuple[Matcher, ...]:
    """The matchers that fit this incident's rule and scope as they are now."""
    scope = scope_of(incident)
    values = {"rule": incident.rule, "carrier": scope.carrier, "region": scope.region}
    return tuple(Matcher(name, "=", value) for name, value in values.items())


def matches(silence: Silence, incident: Incident) -> bool:
    """Whether every matcher fits; a pattern must fit the whole value."""
    labels = _labels(incident)
    return all(_fits(m, labels[m.name]) for m in silence.matchers)


def is_active(silence: Silence, at_ms: int) -> bool:
    return silence.begin_ms <= at_ms < silence.end_ms


def silencing(silences: Iterable[Silence], incident: Incident, at_ms: int) -> Silence | None:
    """The silence that holds the incident's pages back at this time: of several the last to end."""
    held = [s for s in silences if is_active(s, at_ms) and matches(s, incident)]
    return max(held, key=lambda s: (s.end_ms, s.id), default=None)


def in_force(silences: Iterable[Silence], at_ms: int) -> list[Silence]:
    """Those that are not over: what begins first comes first."""
    return sorted((s for s in silences if at_ms < s.end_ms), key=lambda s: (s.begin_ms, s.id))


def _labels(incident: Incident) -> Mapping[str, str]:
    scope = scope_of(incident)
    return {
        "rule": incident.rule,
        "scope": scope.kind.value,
        "carrier": scope.carrier,
        "region": scope.region,
        "severity": incident.severity.value,
    }


def _fits(matcher: Matcher, value: str) -> bool:
    if matcher.op in ("=", "!="):
        return (value == matcher.value) is (matcher.op == "=")
    return (_compiled(matcher.value).fullmatch(value) is not None) is (matcher.op == "=~")


def _fault(matcher: Matcher) -> str | None:
    if matcher.name not in NAMES or matcher.op not in OPERATORS:
        return f"'{matcher.name}{matcher.op}' is no matcher: names are {', '.join(NAMES)}"
    if len(matcher.value) > MOST_PATTERN:
        return f"the value of {matcher.name} has more than {MOST_PATTERN} characters"
    if matcher.op in ("=", "!="):
        return None
    try:
        _compiled(matcher.value)
    except re.error as e:
        return f"{matcher.name}{matcher.op}: no regular expression: {e}"
    return None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
