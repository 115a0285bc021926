"""One name for one cause: the fewest scopes that explain the failures (docs/detection.md, 4).

The statistic of a scope is the sum of its leaves' log-likelihood ratios at a common odds ratio,
each leaf against its own baseline; counts are never pooled (Simpson's paradox).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts.blame import NOBODY, Blame
from alerts.charts import Alarms
from alerts.detect import RuleState
from alerts.policy import Policy
from alerts.receipts import evidence
from alerts.records import Scope, ScopeKind
from alerts.scan import Evidence, Scan, changed, further, gather, joined, scanned, since_starts
from alerts.scopes import Index, contains, nest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LOOKBACKS_S = (0, 10, 20, 50, 110, 290, 590, 1790)
"""Starts that are tried besides those of the charts: so long before the newest bucket."""
ROUNDS = 8


class Finding(NamedTuple):
    """A scope in which something is wrong, since when, and by which odds ratio."""

    scope: Scope
    start_s: int
    theta: float
    evidence: float
    """Nats over what the other findings explain, less the price of its kind."""
    lead: float = math.inf
    """Nats by which it is better than the next scope that contains it or lies in it."""
    overdue: bool = False
    """Successes are missing; failures may follow."""
    blame: Blame = NOBODY


class Pick(NamedTuple):
    """Scope by number, from stretch `first` on."""

    scope: int
    first: int
    theta: float


def localise(
    state: RuleState, policy: Policy, pi: Floats, alarms: Alarms, onsets_s: Sequence[int], now_s: int
) -> tuple[Finding, ...]:
    """The scopes that explain what is wrong after bucket `now_s`, strongest first.

    Looks back to the earliest start of an alarmed chart or of an open incident (`onsets_s`).
    """
    if not len(alarms.scopes) and not onsets_s:
        return ()
    old = _older_than_the_ring(state, policy, alarms)
    if old is not None:
        return (old,)
    counted = gather(state, policy, pi, _starts(alarms, onsets_s, now_s))
    return _findings(counted, policy, _best_explanation(counted, policy))


def overdue(state: RuleState, policy: Policy, alarms: Alarms, now_s: int) -> Finding | None:
    """The scope in which most successes are missing, once any of them alarms."""
    if not len(alarms.scopes):
        return None
    index, charts = state.index, state.receipts.charts
    reached = evidence(state.receipts, policy, np.arange(index.size), now_s)
    worth = np.where((reached >= policy.further_evidence) & index.named, charts.w - index.penalties, -np.inf)
    chart, number = divmod(int(worth.argmax()), index.size)
    start_s = int(charts.start_s[chart, number])
    return Finding(index.scope(number), start_s, policy.thetas[0], float(worth[chart, number]), overdue=True)


def _starts(alarms: Alarms, onsets_s: Sequence[int], now_s: int) -> Ints:
    strongest = alarms.start_s[np.argsort(-alarms.evidence, kind="stable")[:8]]
    known = {int(s) for s in strongest} | set(onsets_s)
    earliest = min(known | {int(s) for s in alarms.start_s})
    tried = {now_s - back for back in LOOKBACKS_S if now_s - back > earliest}
    return np.array(sorted(known | tried | {earliest}), dtype=np.int64)


def _older_than_the_ring(state: RuleState, policy: Policy, alarms: Alarms) -> Finding | None:
    """A slow alarm of a quiet series began before the ring: only the charts know of it."""
    if not len(alarms.scopes) or not state.ring or alarms.start_s.min() >= state.ring[0].bucket_s:
        return None
    best = np.where(state.index.named, state.charts.w.max(axis=0) - state.index.penalties, -np.inf)
    number = int(best.argmax())
    chart = int(state.charts.w[:, number].argmax())
    start_s = int(state.charts.start_s[chart, number])
    if start_s >= state.ring[0].bucket_s:
        return None
    return Finding(state.index.scope(number), start_s, policy.thetas[chart], float(best[number]))


def _best_explanation(ev: Evidence, policy: Policy) -> list[Pick]:
    """Greedy from the best scope, and from the best carrier and region too.

    Two carriers of three that fail look like everything at first; begun with a carrier, they are
    told apart. Another set wins only if it explains clearly more: leaves of one incident differ
    a little, and at high volume any split of it would explain more.
    """
    best = _greedy(ev, policy, ev.index.named)
    for kind in (ScopeKind.GLOBAL, ScopeKind.CARRIER, ScopeKind.REGION):
        allowed = ev.index.named & _of_kind(ev.index, kind)
        if not best or not allowed.any() or allowed[best[0].scope]:
            continue
        other = _greedy(ev, policy, allowed)
        better = _worth(ev, policy, other) > policy.better_explanation * _worth(ev, policy, best)
        if better and not _are_all_of(ev, other, best[0]):
            best = other
    return best


def _are_all_of(ev: Evidence, picks: Sequence[Pick], whole: Pick) -> bool:
    """Whether several scopes leave nothing of a wider one: all carriers are everything, however much
    they differ."""
    covered = np.logical_or.reduce([ev.index.members(ev.index.scope(p.scope)) for p in picks])
    return len(picks) > 1 and bool(covered[ev.index.members(ev.index.scope(whole.scope))].all())


def _greedy(ev: Evidence, policy: Policy, first_of: Bools) -> list[Pick]:
    """Takes the best scope, folds it into what is expected, and again; then drops the idle."""
    picks: list[Pick] = []
    pi = ev.pi
    for _ in range(ROUNDS):
        pick, score = _best_pick(ev, policy, pi, ev.index.named if picks else first_of)
        if score <= 0 or (picks and not _stands_out(ev, policy, pi, pick)):
            break
        picks, pi = _refit(ev, [*picks, pick])
    return _without_idle(ev, policy, picks)


def _best_pick(ev: Evidence, policy: Policy, pi: Floats, allowed: Bools) -> tuple[Pick, float]:
    """The scope of greatest score, its best start and odds ratio."""
    scan = scanned(ev, pi)
    score = np.where(allowed, _scores(ev, scan), -np.inf)
    scope, leaf = int(score.argmax()), int(score.argmax()) - ev.index.first_leaf
    by_start = scan.wide[..., scope] if leaf < 0 else since_starts(ev, pi, np.array([leaf]))[..., 0]
    chart, first = divmod(int(by_start.argmax()), len(ev.starts_s))
    return Pick(scope, first, policy.thetas[chart]), float(score[scope])


def _scores(ev: Evidence, scan: Scan) -> Floats:
    """Greatest sum of l of each scope [S], less the price of its name; no name, no score."""
    best = np.concatenate((scan.wide.max(axis=(0, 1)), scan.pairs))
    return np.where(ev.index.named, best - ev.prices, -np.inf)


def _stands_out(ev: Evidence, policy: Policy, pi: Floats, pick: Pick) -> bool:
    """Whether a further scope has evidence beyond the differences within one incident, in that part of
    it which no other touches; where there is none, as a part of another."""
    inside = ev.index.members(ev.index.scope(pick.scope))
    untouched = inside & (pi == ev.pi).all(axis=0)
    inside = untouched if untouched.any() else inside
    k, n, base, p = (a[pick.first :, inside] for a in (ev.k, ev.n, ev.pi, pi))
    w = np.array([max(float(further(theta, k, n, base, p).sum()) for theta in ev.thetas)])
    delta = bank.shift(*(np.array([a.sum()]) for a in (k, n, n * p)))
    limited = bank.limited(w, delta, policy.sigma_scope**2, math.log(policy.min_odds_ratio))
    return bool(limited[0] >= policy.further_evidence)


def _refit(ev: Evidence, picks: Sequence[Pick]) -> tuple[list[Pick], Floats]:
    """The picks with their best odds ratios, and pi [G, L] with all of them joined. Each is fitted beside
    those before it, then beside all others: what two have in common is neither's alone."""
    pi, fitted = np.array(ev.pi), [pick._replace(theta=1.0) for pick in picks]
    for _ in range(min(len(picks), 2)):
        for i, pick in enumerate(fitted):
            at = (slice(pick.first, None), ev.index.members(ev.index.scope(pick.scope)))
            k, n, base, p = (a[at] for a in (ev.k, ev.n, ev.pi, pi))
            without = 1 - (1 - p) * (1 + (pick.theta - 1) * base)
            fitted[i] = pick._replace(theta=_best_theta(k, n, base, without))
            pi[at] = joined(base, without, fitted[i].theta)
    return fitted, pi


def _best_theta(k: Floats, n: Floats, base: Floats, pi: Floats) -> float:
    """Odds ratio, 1 to e^9, of a cause beside those in `pi` by which as many fail as did: sum n p = sum k.
    The most likely one where it is alone.

    Newton's steps in ln theta, halving where one leaves what is known to hold the root.
    """
    if (pi == pi[:1]).all():
        n, base, pi = n.sum(axis=0), base[0], pi[0]
    left = n * (1 - pi) / (1 - base)
    low, high, at, failed = 0.0, 9.0, 0.0, k.sum() - n.sum()
    for _ in range(40):
        well = (1 - base) / (1 + (np.exp(at) - 1) * base)
        excess = -float((left * well).sum() + failed)
        low, high = (at, high) if excess < 0 else (low, at)
        step = at - excess / max(float((left * well * (1 - well)).sum()), 1e-9)
        last, at = at, step if low < step < high else (low + high) / 2
        if abs(at - last) < 1e-12:
            break
    return float(np.exp(at))


def _gain(ev: Evidence, picks: Sequence[Pick]) -> float:
    """Log-likelihood (nats) of the counts under the picks, over that under the baselines."""
    _, pi = _refit(ev, picks)
    leaves = changed(ev, pi)
    k, n, base, pi = (a[:, leaves] for a in (ev.k, ev.n, ev.pi, pi))
    return float((k * np.log(pi / base) + (n - k) * np.log((1 - pi) / (1 - base))).sum())


def _price(ev: Evidence, policy: Policy, pick: Pick) -> float:
    return policy.further_evidence + float(ev.prices[pick.scope])


def _worth(ev: Evidence, policy: Policy, picks: Sequence[Pick]) -> float:
    return _gain(ev, picks) - sum(_price(ev, policy, pick) for pick in picks)


def _without_idle(ev: Evidence, policy: Policy, picks: list[Pick]) -> list[Pick]:
    """Drops, one by one, scopes that the others make needless: the biggest leaf of a carrier."""
    while len(picks) > 1:
        whole = _gain(ev, picks)
        costs = [whole - _gain(ev, _others(picks, i)) - _price(ev, policy, p) for i, p in enumerate(picks)]
        least = int(np.argmin(costs))
        if costs[least] >= 0:
            break
        picks = _others(picks, least)
    return _refit(ev, picks)[0]


def _others(picks: list[Pick], i: int) -> list[Pick]:
    return picks[:i] + picks[i + 1 :]


def _findings(ev: Evidence, policy: Policy, picks: list[Pick]) -> tuple[Finding, ...]:
    """The picks in words; one inside another is a part of it, not a second cause."""
    found: dict[Scope, Finding] = {}
    whole = _gain(ev, picks)
    for i, pick in enumerate(picks):
        own = whole - _gain(ev, _others(picks, i)) - float(ev.prices[pick.scope])
        scope, start_s = ev.index.scope(pick.scope), int(ev.starts_s[pick.first])
        if scope not in found or found[scope].start_s > start_s:
            found[scope] = Finding(scope, start_s, pick.theta, own, _lead(ev, policy, picks, i))
    outer = [f for f in found.values() if not any(o != f.scope and contains(o, f.scope) for o in found)]
    return tuple(sorted(outer, key=lambda f: -f.evidence))


def _lead(ev: Evidence, policy: Policy, picks: list[Pick], i: int) -> float:
    """By how much pick `i` beats its rivals, wider or narrower, once the others are folded in."""
    _, pi = _refit(ev, _others(picks, i))
    score = _scores(ev, scanned(ev, pi))
    own, number = ev.index.scope(picks[i].scope), picks[i].scope
    rivals = [j for j in np.flatnonzero(score > score[number] - policy.clear_lead).tolist() if j != number]
    nested = [j for j in rivals if nest(ev.index.scope(j), own)]
    return float(score[number] - max(score[nested])) if nested else math.inf


def _of_kind(index: Index, kind: ScopeKind) -> Bools:
    counts = (1, len(index.carriers), len(index.regions), len(index.leaves))
    kinds = (ScopeKind.GLOBAL, ScopeKind.CARRIER, ScopeKind.REGION, ScopeKind.PAIR)
    return np.repeat([k is kind for k in kinds], counts)
