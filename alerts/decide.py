"""The deciding stations as one step: closed bucket in, flags, incidents and transitions out.

    cells -> leaves -> step -> localise -> apply -> Decided

A pure function of state and bucket: the same buckets always decide the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from alerts import detect, incident
from alerts.case import Case, Watch
from alerts.charts import Charts
from alerts.counts import LeafCounts, Table
from alerts.detect import RuleState
from alerts.flags import Flag
from alerts.flags import flags as flags_of
from alerts.localise import Finding, localise, overdue
from alerts.measure import Now, scope_of
from alerts.policy import Policy
from alerts.records import Decision, Incident, Scope, State, Transition
from alerts.scopes import Floats, Leaf, contains, nest


class Look(NamedTuple):
    """When scopes are sought: in every bucket up to `until_s`, and once after `last_s` + look_s."""

    until_s: int = -1
    last_s: int = -1


@dataclass(frozen=True)
class DetectorState:
    """Everything that decides: what a snapshot holds."""

    policy: Policy
    policy_from_s: int = -1
    """The first bucket decided under it; -1 for all."""
    bucket_s: int = -1
    """The last bucket applied."""
    rules: tuple[RuleState, ...] = ()
    cases: tuple[Case, ...] = ()
    """Incidents that are open or ended less than `reopen_s` ago."""
    looks: tuple[Look, ...] = ()
    """By rule, as `rules`."""


class Expected(NamedTuple):
    """What one rule takes for normal in this bucket."""

    rule: str
    leaves: tuple[Leaf, ...]
    ratio: Floats
    """[L] expected failure probability, parallel."""


class Judged(NamedTuple):
    """What one rule saw in this bucket, and the scopes that it named for it."""

    now: Now
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Decided:
    """What one bucket decided."""

    flags: tuple[Flag, ...] = ()
    expected: tuple[Expected, ...] = field(default=(), compare=False)
    """For people to look at: it follows from the state, and arrays are not compared as a whole."""
    incidents: tuple[Incident, ...] = ()
    """As they are now: open, or ended less than `reopen_s` ago."""
    transitions: tuple[Transition, ...] = ()
    judged: tuple[Judged, ...] = field(default=(), compare=False)
    """By rule: what all of it was decided by, for a backtest to show."""


def begin(policy: Policy, rules: Sequence[str]) -> DetectorState:
    """The state before the first bucket."""
    states = tuple(detect.fresh(rule, policy) for rule in rules)
    return DetectorState(policy, rules=states, looks=(Look(),) * len(states))


def under(state: DetectorState, policy: Policy, bucket_s: int) -> DetectorState:
    """The state under another policy from `bucket_s` on. Other odds ratios begin their charts anew."""
    if policy == state.policy:
        return state
    rules = state.rules
    if policy.thetas != state.policy.thetas:
        rules = tuple(replace(r, charts=Charts.empty(len(policy.thetas), r.index.size)) for r in rules)
    if policy.missing != state.policy.missing:
        rules = tuple(replace(r, receipts=r.receipts.restarted(policy, r.index)) for r in rules)
    if policy.ticket_thetas != state.policy.ticket_thetas:
        rules = tuple(replace(r, quality=r.quality.restarted(policy, r.index)) for r in rules)
    return replace(state, policy=policy, policy_from_s=bucket_s, rules=rules)


def decide(
    state: DetectorState,
    policy: Policy,
    bucket_s: int,
    counts: Mapping[str, LeafCounts | Table],
    *,
    whole: bool = True,
) -> tuple[DetectorState, Decided]:
    """One bucket on; `counts` as `alerts.counts` gives them. A bucket seen before changes nothing.

    A `policy` other than that of the state takes effect with this bucket.
    Counts that are not `whole` are judged as they are, but nothing is learned from them."""
    if bucket_s <= state.bucket_s:
        return state, Decided(incidents=tuple(c.incident for c in state.cases))
    state = under(state, policy, bucket_s)
    rules: list[RuleState] = []
    cases: list[Case] = []
    looks: list[Look] = []
    flags: list[Flag] = []
    expected: list[Expected] = []
    judged: list[Judged] = []
    for rule, look in zip(state.rules, state.looks, strict=True):
        own = [c for c in state.cases if c.incident.rule == rule.rule]
        held = _held(own)
        rule, said = detect.step(rule, policy, bucket_s, counts.get(rule.rule, {}), held, whole=whole)
        now = Now(rule, said, policy, bucket_s)
        findings, look = _look(now, own, look)
        findings = (*findings, *_overdue(now, own, findings))
        judged.append(Judged(now, findings))
        after = incident.apply(own, findings, now)
        rule = _forget_resolved(rule, after, now)
        rules.append(rule)
        looks.append(look)
        cases.extend(after)
        flags.extend(flags_of(rule, policy, said, bucket_s))
        expected.append(Expected(rule.rule, rule.index.leaves, said.pi))
    decided = Decided(
        tuple(flags),
        tuple(expected),
        tuple(c.incident for c in cases),
        tuple(t for c in cases for t in c.transitions),
        tuple(judged),
    )
    after_all = replace(state, bucket_s=bucket_s, rules=tuple(rules), cases=tuple(cases), looks=tuple(looks))
    return after_all, decided


def _held(cases: Iterable[Case]) -> dict[Scope, int]:
    """The scopes of open incidents, and since when (epoch seconds) they are ill."""
    opened = [c.incident for c in cases if c.incident.state is State.OPEN]
    return {
        scope: min(i.onset_ms // 1000 for i in opened if scope_of(i) == scope)
        for scope in {scope_of(i) for i in opened}
    }


def adopt(state: DetectorState, stored: Iterable[Incident]) -> DetectorState:
    """The state with incidents that are newer in the `incidents` topic than in the snapshot.

    They take part from there; buckets up to their `last_bucket_s` change them no more.
    """
    cases = {c.incident.key: c for c in state.cases}
    for one in stored:
        own = cases.get(one.key)
        if own is not None and own.incident.last_bucket_s > one.last_bucket_s:
            continue
        watch = own.watch if own is not None else Watch(one.opened_bucket_s)
        cases[one.key] = Case(one, watch)
    return replace(state, cases=tuple(cases.values()))


def _look(now: Now, cases: Sequence[Case], look: Look) -> tuple[tuple[Finding, ...], Look]:
    """Seeks scopes when something new alarms, for a while after, and each minute while open."""
    opened = [c.incident for c in cases if _is_open(c.incident, now.bucket_s)]
    hits = now.step.alarms
    if _anything_new(now, opened):
        look = look._replace(until_s=now.bucket_s + now.policy.look_s)
    seeking = now.bucket_s <= look.until_s and (opened or len(hits.scopes))
    due = bool(opened) and now.bucket_s - look.last_s >= now.policy.look_s
    if not seeking and not due:
        return (), look
    onsets_s = [i.onset_ms // 1000 for i in opened]
    found = localise(now.state, now.policy, now.step.pi, hits, onsets_s, now.bucket_s)
    return _alarming(_unsplit(found, now, opened), now, opened), look._replace(last_s=now.bucket_s)


def _overdue(now: Now, cases: Iterable[Case], findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Successes that are missing where nothing else is known to be wrong."""
    finding = overdue(now.state, now.policy, now.step.overdue, now.bucket_s)
    known = [scope_of(c.incident) for c in cases if _is_open(c.incident, now.bucket_s)]
    known += [f.scope for f in findings]
    if finding is None or any(nest(s, finding.scope) for s in known):
        return ()
    return (finding,)


def _anything_new(now: Now, opened: Sequence[Incident]) -> bool:
    """Whether something alarms that was not flagged, or at all, outside of what is open."""
    hits, scopes = now.step.alarms, [scope_of(i) for i in opened]
    numbers = hits.scopes[hits.fresh] if scopes else hits.scopes
    alarmed = (now.state.index.scope(int(number)) for number in numbers)
    return any(not any(contains(scope, one) for scope in scopes) for one in alarmed)


def _unsplit(found: Sequence[Finding], now: Now, opened: Iterable[Incident]) -> tuple[Finding, ...]:
    """The findings, with several parts of an incident that began with it as that incident once it is
    old enough to have its name: parts of one cause differ, and end one after the other."""
    for one in opened:
        scope = scope_of(one)
        parts = [f for f in found if contains(scope, f.scope) and f.start_s <= one.opened_bucket_s]
        if now.bucket_s - one.opened_bucket_s >= now.policy.named_s and len(parts) > 1:
            whole = max(parts, key=lambda f: f.evidence)._replace(scope=scope)
            found = [*(f for f in found if f not in parts), whole]
    return tuple(found)


def _alarming(found: Iterable[Finding], now: Now, opened: Sequence[Incident]) -> tuple[Finding, ...]:
    """The findings that may speak: those of open incidents, and new ones that explain an alarm."""
    scopes = [scope_of(i) for i in opened]
    if all(f.scope in scopes for f in found) or not opened:
        return tuple(found)
    alarmed = [now.state.index.scope(int(number)) for number in now.step.alarms.scopes]
    return tuple(f for f in found if f.scope in scopes or any(nest(f.scope, one) for one in alarmed))


def _is_open(one: Incident, bucket_s: int) -> bool:
    return one.state is State.OPEN and one.opened_bucket_s <= bucket_s


def _forget_resolved(rule: RuleState, cases: Iterable[Case], now: Now) -> RuleState:
    """What an incident that ends now has left in the charts must not open the next one."""
    for case in cases:
        if case.incident.resolved_bucket_s == now.bucket_s:
            scope = scope_of(case.incident)
            if case.incident.reason is Decision.ACCEPTED:
                rule = detect.accept(rule, now.policy, now.step.pi, scope, now.bucket_s)
            rule = detect.forget(rule, scope)
    return rule
