"""One bad sender is not a bad carrier: who of the senders of a scope explains its failures, if the others
are well (docs/detection.md, 7). Pure.

Senders are taken out, the worst first, until the rest is proved to be well: with the likelihoods of the
detector, each series against its own baseline. What is not told counts against it: a rest that is too
small to say anything leaves the blame where it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts.by_sender import FAILED, TOLD, UNCOUNTED
from alerts.causes import OfSender, Senders
from alerts.detect import RuleState, recent
from alerts.policy import Policy
from alerts.records import Scope
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CANDIDATES = 10
LEAST_FAILED, LEAST_OTHERS = 30, 30
"""With fewer failures, or messages of others, nothing is said of where a ticket points."""


class Blame(NamedTuple):
    """What is known of the senders of a scope."""

    senders: Senders | None = None
    """None where no sender is told."""
    waits: bool = False
    """The senders that are suspected will be known for sure within `sender_wait_s`, or cleared."""


NOBODY = Blame()


class Counts(NamedTuple):
    """Of the scope's leaves [L] since some moment: all, and by candidate [C, L]."""

    k: Floats
    n: Floats
    pi: Floats
    names: tuple[str, ...]
    own_k: Floats
    own_n: Floats
    seen: int
    busiest: tuple[str, float]
    """Of the candidates, who has most of the outcomes, and how much."""


class Rest(NamedTuple):
    """What the others do: failures, outcomes and expected failures, by leaf."""

    k: Floats
    n: Floats
    pi: Floats

    @property
    def shift(self) -> float:
        """By how much their log-odds are raised."""
        k, n, m = (np.array(float(a.sum())) for a in (self.k, self.n, self.n * self.pi))
        return float(bank.shift(k, n, m))


def blame(state: RuleState, policy: Policy, pi: Floats, scope: Scope, start_s: int, now_s: int) -> Blame:
    """Who is to blame in `scope` for what happened from bucket `start_s` to bucket `now_s`."""
    kept = since(state, start_s)
    leaves = np.flatnonzero(state.index.members(scope))
    counts = _counts(state, kept, leaves, pi[leaves]) if kept else None
    if kept is None or counts is None:
        return NOBODY
    chosen, rest = list[int](), Rest(counts.k, counts.n, counts.pi)
    while len(chosen) < min(policy.senders_most, len(counts.names)):
        worst = _worst(counts, chosen)
        if _evidence(policy, counts, worst) < policy.further_evidence:
            break
        chosen.append(worst)
        rest = _rest(counts, chosen)
        if _is_well(policy, counts, chosen, rest):
            return Blame(_told(counts, chosen, rest, shared=False))
    suspects = chosen or [_worst(counts, [])]
    rest = _rest(counts, suspects)
    shared = bool(_reached(policy, rest) >= policy.further_evidence)
    told = _told(counts, suspects[:0], _rest(counts, suspects[:1]), shared=shared)
    return Blame(told, bool(chosen) and _may_be_known_soon(policy, counts, chosen, rest, now_s - kept.from_s))


def of_late(state: RuleState, policy: Policy, pi: Floats, scope: Scope, start_s: int, now_s: int) -> Blame:
    """The same of the last 5 min at most."""
    return blame(state, policy, pi, scope, max(start_s, now_s - policy.segment_cap_s + BUCKET_S), now_s)


def words(senders: Senders) -> str:
    """What is known of the senders, for people."""
    text = ""
    share = senders.others_failed / senders.others if senders.others else 0.0
    if senders.bad:
        each = "; ".join(f"{s.name}: {s.failed} of about {s.outcomes} failed" for s in senders.bad)
        name = "The sender fails" if len(senders.bad) == 1 else f"{len(senders.bad)} senders fail"
        text = f"{name}, not the carrier. {each}; of all others {share:.1%} of {senders.others}."
    elif senders.shared:
        text = f"Not one sender: beside the worst, {share:.1%} of {senders.others} fail as well."
    if senders.busiest_share >= 0.5:
        much = f"{senders.busiest_share:.0%} of the traffic"
        text += f" One sender of {senders.seen}, {senders.busiest}, has {much}."
    return text.strip()


class Kept(NamedTuple):
    """The kept entries of all buckets since some moment, end to end."""

    from_s: int
    names: tuple[str, ...]
    sender: Ints
    leaf: Ints
    counts: Floats
    """[3, entries] as in BySender."""


def since(state: RuleState, start_s: int) -> Kept | None:
    """What is kept by sender from bucket `start_s` on; None where there is nothing."""
    rows = [row for row in state.senders if row.bucket_s >= start_s]
    if not rows:
        return None
    names, senders = dict[str, int](), list[Ints]()
    for _, by in rows:
        number = np.array([names.setdefault(name, len(names)) for name in by.names], dtype=np.int64)
        senders.append(number[by.sender])
    leaf = np.concatenate([row.by.leaf for row in rows]).astype(np.int64)
    counts = np.concatenate([row.by.counts for row in rows], axis=1).astype(np.float64)
    return Kept(rows[0].bucket_s, tuple(names), np.concatenate(senders), leaf, counts)


def _counts(state: RuleState, kept: Kept, leaves: Ints, pi: Floats) -> Counts | None:
    """None where nobody is named. What a leaf has delivered is shared out as those of its deliveries were
    that are told by sender; where none is told, it counts for nobody."""
    place = np.full(len(state.index.leaves), -1)
    place[leaves] = np.arange(len(leaves))
    mine = place[kept.leaf] >= 0
    used, sender = np.unique(kept.sender[mine], return_inverse=True)
    names = {kept.names[i]: number for number, i in enumerate(used.tolist())}
    leaf, counts = place[kept.leaf[mine]], kept.counts[:, mine]
    all_ = recent(state, kept.from_s, leaves)
    failures = np.bincount(sender, counts[FAILED], len(names))
    if "" in names:
        failures[names[""]] = 0
    worst = np.argsort(-failures, kind="stable")[:CANDIDATES]
    worst = worst[failures[worst] > 0]
    if not len(worst):
        return None
    candidate = np.full(len(names), -1)
    candidate[worst] = np.arange(len(worst))
    at = candidate[sender] >= 0
    flat, size = candidate[sender[at]] * len(leaves) + leaf[at], len(worst) * len(leaves)
    own = np.stack([np.bincount(flat, column[at], size) for column in counts])
    own = own.reshape(3, len(worst), len(leaves))
    whole = np.stack([np.bincount(leaf, column, len(leaves)) for column in counts])
    arrived = np.maximum(all_.finals - whole[FAILED] - whole[UNCOUNTED], 0)
    share = own[TOLD] / np.maximum(whole[TOLD], 1)
    own_n = own[FAILED] + own[UNCOUNTED] + share * arrived
    n = whole[FAILED] + whole[UNCOUNTED] + np.where(whole[TOLD] > 0, arrived, 0)
    named, seen = list(names), len(names) - ("" in names)
    shares = own_n.sum(axis=1) / max(float(n.sum()), 1.0)
    busiest = named[worst[shares.argmax()]], float(shares.max())
    return Counts(whole[FAILED], n, pi, tuple(named[i] for i in worst), own[FAILED], own_n, seen, busiest)


def _worst(counts: Counts, chosen: Sequence[int]) -> int:
    """The candidate with most failures beyond what was to be expected of it."""
    excess = (counts.own_k - counts.own_n * counts.pi).sum(axis=1)
    excess[list(chosen)] = -np.inf
    return int(excess.argmax())


def _evidence(policy: Policy, counts: Counts, who: int) -> float:
    """Nats for a candidate to fail, less the price of having looked at so many."""
    own = Rest(counts.own_k[who], counts.own_n[who], counts.pi)
    return _reached(policy, own) - math.log(max(counts.seen, 1))


def _reached(policy: Policy, some: Rest) -> float:
    """Evidence (nats) that they fail, within how far series differ in health."""
    w = max(float(bank.likelihood(t, some.k, some.n, some.pi.copy()).sum()) for t in policy.thetas)
    limit = policy.sigma**2, math.log(policy.min_odds_ratio)
    return float(bank.limited(np.array([w]), np.array([some.shift]), *limit)[0])


def _rest(counts: Counts, chosen: Sequence[int]) -> Rest:
    k, n = (a[list(chosen)].sum(axis=0) for a in (counts.own_k, counts.own_n))
    return Rest(np.maximum(counts.k - k, 0), np.maximum(counts.n - n, 0), counts.pi)


def _beside(counts: Counts, chosen: Sequence[int], rest: Rest) -> Rest:
    """The rest where the chosen have traffic: elsewhere others may do well for another reason."""
    at = counts.own_n[list(chosen)].sum(axis=0) > 0
    return Rest(rest.k[at], rest.n[at], rest.pi[at])


def _proof(policy: Policy, some: Rest) -> float:
    """Nats against odds that are raised as in a failing carrier."""
    return -float(bank.likelihood(policy.sender_rest_odds, some.k, some.n, some.pi.copy()).sum())


def _seems_well(policy: Policy, beside: Rest, rest: Rest) -> bool:
    """Whether the odds of the others are not doubled, neither there nor in all of the scope."""
    least = math.log(policy.min_odds_ratio)
    return beside.shift < least and rest.shift < least


def _is_well(policy: Policy, counts: Counts, chosen: Sequence[int], rest: Rest) -> bool:
    beside = _beside(counts, chosen, rest)
    return _seems_well(policy, beside, rest) and _proof(policy, beside) >= policy.resolve_evidence


def _may_be_known_soon(policy: Policy, counts: Counts, chosen: Sequence[int], rest: Rest, age_s: int) -> bool:
    """Whether the others, going on as they do, are proved to be well by the end of the wait."""
    beside, lasted_s = _beside(counts, chosen, rest), age_s + BUCKET_S
    if lasted_s >= policy.sender_wait_s or not _seems_well(policy, beside, rest):
        return False
    return _proof(policy, beside) * policy.sender_wait_s / lasted_s >= policy.resolve_evidence


def _told(counts: Counts, bad: Sequence[int], rest: Rest, *, shared: bool) -> Senders:
    each = tuple(
        OfSender(counts.names[i], round(counts.own_k[i].sum()), round(counts.own_n[i].sum())) for i in bad
    )
    others = round(float(rest.k.sum())), round(float(rest.n.sum()))
    name, share = counts.busiest
    return Senders(each, *others, shared, name, round(share, 4), counts.seen)


def pointing(state: RuleState, kept: Kept, scope: Scope) -> str:
    """Which list or route a ticket points to, in words; '' where too little is told by sender.

    A sender stands out where its odds are at least half as high again as those of all others, four standard
    errors beyond chance, and a third of the failures are its own.
    """
    leaves = np.flatnonzero(state.index.members(scope))
    counts = _counts(state, kept, leaves, np.zeros(len(leaves)))
    if counts is None:
        return ""
    k, n = float(counts.k.sum()), float(counts.n.sum())
    own_k, own_n = counts.own_k.sum(axis=1), np.minimum(counts.own_n.sum(axis=1), n)
    ratio = (k - own_k + 0.5) / (n - own_n + 1)
    expected = own_n * ratio
    beyond = (own_k - expected) / np.sqrt(np.maximum(expected * (1 - ratio), 1e-9))
    worst = int(own_k.argmax())
    share, sent = own_k[worst] / k, own_n[worst] / n
    if n - own_n[worst] < LEAST_OTHERS:
        return f"All but {n - own_n[worst]:.0f} of its messages are from {counts.names[worst]}."
    odds = (own_k / np.maximum(own_n - own_k, 0.5)) / (ratio / (1 - ratio))
    if odds[worst] >= 1.5 and beyond[worst] >= 4 and share >= 1 / 3:
        return (
            f"It points to the list of sender {counts.names[worst]}: {share:.0%} of the failures on "
            f"{sent:.0%} of the messages."
        )
    if k < LEAST_FAILED or counts.seen < 2:
        return ""
    return f"No sender stands out among {counts.seen}: it points to the route, or to a list that all share."
