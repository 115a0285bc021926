"""Receipts that should have come: the delay of receipts, what it does to the expected ratio, and
charts of successes that are missing (docs/detection.md, 4).

Sends wait in pools, one for each time constant of a mixture of exponentials; what leaves them in a
bucket are the receipts to be expected. Arrays end in leaves [L] or scopes [S].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts import wobble as wander
from alerts.baseline import BLOCK_S
from alerts.charts import Alarms, Charts
from alerts.counts import DELAYS_S, Table
from alerts.doubt import Doubt
from alerts.odds import decay, padded
from alerts.policy import Policy
from alerts.scopes import Index, moved
from alerts.wobble import Wobble
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

QUICK = np.array([0.5, 0.3, 0.2, 0.0, 0.0])
"""Shares of DELAYS_S until a carrier's own are learned: seconds to minutes."""
MINUTE, LATE = DELAYS_S.index(60), DELAYS_S.index(600)
OLD = DELAYS_S.index(14_400)
"""The time constant of receipts that took more than an hour."""
LEAVING = 1 - np.exp(-BUCKET_S / np.array(DELAYS_S))
"""Share of each pool that leaves it in a bucket."""


@dataclass(frozen=True)
class Receipts:
    """What is known of the receipts of a rule's leaves."""

    pools: Floats
    """[2, 5, L] sends whose success or failure would still come, by time constant."""
    delays: Floats
    """[2, 5, L] successes and failures by delay, discounted."""
    returned: Floats
    """[2, L] outcomes, and the sends that let expect them, discounted; of healthy times."""
    block: Floats
    """[2, L] the same of the 10 min under way."""
    old: Floats
    """[L] receipts older than an hour in a bucket, typically."""
    crowd: Floats
    """[L] sends in a bucket, of the busiest 10 min of late."""
    charts: Charts
    """[R, S] of missing successes: K successes, N and M those to be expected."""
    wobble: Wobble

    @classmethod
    def empty(cls, policy: Policy) -> Receipts:
        pairs = np.zeros((2, 0))
        charts = Charts.empty(len(policy.missing), 1)
        pools = np.zeros((2, len(DELAYS_S), 0))
        return cls(pools, pools, pairs, pairs, np.zeros(0), np.zeros(0), charts, Wobble.empty(1))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], charts: Charts, wobble: Wobble) -> Receipts:
        """That of a snapshot; a version before does not hold `crowd`."""
        return cls(**{"crowd": np.zeros_like(arrays["old"]), **arrays}, charts=charts, wobble=wobble)

    def grown(self, old: Index, index: Index) -> Receipts:
        size, where = len(index.leaves), moved(old, index)
        return Receipts(
            padded(self.pools, size),
            padded(self.delays, size),
            padded(self.returned, size),
            padded(self.block, size),
            padded(self.old, size),
            padded(self.crowd, size),
            self.charts.relaid(where, index.size),
            self.wobble.relaid(where, index.size),
        )

    def restarted(self, policy: Policy, index: Index) -> Receipts:
        """The same with empty charts, for other shares that may be missing."""
        return replace(self, charts=Charts.empty(len(policy.missing), index.size))


class Due(NamedTuple):
    """What is due in one bucket by leaf [L]: sends whose success, or failure, would come now."""

    successes: Floats
    failures: Floats
    sends: Bools
    """Where there were sends: where nothing at all is heard, nothing is known."""
    doubt: Floats
    """Variance of the logarithm of `successes`: how far what is due is from what is sent."""
    offset: Floats
    """What the delays add to the log-odds of a failure; 0 where they are not known."""
    echo: Floats
    """Variance of `offset`: late failures of a crowd may come at any time."""


def released(receipts: Receipts, policy: Policy, index: Index, sends: Floats) -> tuple[Receipts, Due]:
    """One bucket on for the pools."""
    if not sends.any() and not receipts.pools.any():
        none = np.zeros(len(index.leaves))
        return receipts, Due(none, none, none > 0, none, none, none)
    shares, known = _shares(receipts, policy, index)
    pools = receipts.pools + shares * sends
    leaving = pools * LEAVING[:, np.newaxis]
    success, failure = leaving.sum(axis=1)
    both = known & (success > 0) & (failure > 0)
    ratio = np.where(both, failure, 1.0) / np.where(both, success, 1.0)
    offset = np.clip(np.log(ratio), -policy.offset_most, policy.offset_most)
    lately = _rate(leaving, shares, LATE)
    crowd = np.maximum(receipts.crowd * decay(BUCKET_S, policy.crowd_memory_s), lately)
    more = shares[1, LATE] * np.maximum(crowd - _rate(leaving, shares, MINUTE), 0)
    late = np.where(both, np.log1p(more / np.where(both, failure, 1.0)), 0.0)
    echo = (policy.offset_doubt * offset) ** 2 + (policy.echo_doubt * late) ** 2
    doubt = _doubt(policy, leaving, shares, success, sends)
    after = replace(receipts, pools=pools - leaving, crowd=crowd)
    return after, Due(success, failure, sends > 0, doubt, offset, echo)


def _rate(leaving: Floats, shares: Floats, row: int) -> Floats:
    """Sends a bucket [L], over the time constant of a pool."""
    rate: Floats = leaving[0, row] / np.maximum(shares[0, row], 1e-9)
    return rate


def _doubt(policy: Policy, leaving: Floats, shares: Floats, success: Floats, sends: Floats) -> Floats:
    """What the pools let go beyond what they would at the rate of now: that an exponential stands for
    their delays makes too much of what is due only after the rate fell, after a blast above all."""
    now = shares[0] * _rate(leaving, shares, 0)
    now[0] = shares[0, 0] * sends
    beyond = np.maximum(leaving[0] - now, 0).sum(axis=0)
    doubt: Floats = (policy.missing_doubt * beyond / np.where(success > 0, success, 1.0)) ** 2
    return doubt


def _shares(receipts: Receipts, policy: Policy, index: Index) -> tuple[Floats, Bools]:
    """Shares of the time constants [2, 5, L] by carrier, and where those of both outcomes are learned."""
    delays = _by_carrier(receipts, index)
    total = delays.sum(axis=1, keepdims=True)
    drawn = (delays + policy.delay_events * QUICK[:, np.newaxis]) / (total + policy.delay_events)
    timely = _timely(delays, policy)
    drawn[:, OLD] *= ~timely
    drawn /= drawn.sum(axis=1, keepdims=True)
    known: Bools = (total >= policy.delay_events).all(axis=(0, 1))
    return drawn[..., index.carrier_of], known[index.carrier_of]


def _by_carrier(receipts: Receipts, index: Index) -> Floats:
    """`delays` [2, 5, C] by carrier."""
    carriers = len(index.carriers)
    rows = receipts.delays.reshape(-1, len(index.leaves))
    sums = np.array([np.bincount(index.carrier_of, weights=row, minlength=carriers) for row in rows])
    return sums.reshape(2, len(DELAYS_S), carriers)


def _timely(delays: Floats, policy: Policy) -> Bools:
    """Carriers [C] most of whose failures are known to come within an hour."""
    failures = delays[1].sum(axis=0)
    timely: Bools = (failures >= policy.delay_events) & (delays[1, OLD] < failures / 2)
    return timely


def without_old(receipts: Receipts, policy: Policy, index: Index, old_n: Floats) -> tuple[Receipts, Bools]:
    """One bucket on for what is usual of old receipts; where [L] they are no evidence of now.

    That is where most failures come in time, and where there are far more old ones than usual: a
    backlog is flushed. While successes are overdue, late failures are what was waited for.
    """
    if not old_n.any() and not receipts.old.any():
        return receipts, np.zeros(len(old_n), dtype=bool)
    most = policy.blast * receipts.old + policy.backlog_least
    gain = 1 - decay(BUCKET_S, policy.old_memory_s)
    usual = receipts.old + gain * (np.minimum(old_n, most) - receipts.old)
    overdue = receipts.charts.flagged_s[index.first_leaf :] > 0
    timely = _timely(_by_carrier(receipts, index), policy)[index.carrier_of]
    return replace(receipts, old=usual), (timely | (old_n > most)) & ~overdue


def missing(
    receipts: Receipts,
    policy: Policy,
    index: Index,
    due: Due,
    pi: Floats,
    seen: Floats,
    born_s: Ints,
    threshold: Floats,
    bucket_s: int,
) -> tuple[Receipts, Alarms]:
    """One bucket on for the charts of missing successes; `seen` [L] successes came, of leaves that were
    first seen at `born_s` [L]."""
    share = (receipts.returned[0] + policy.level_events) / (receipts.returned[1] + policy.level_events)
    grown = bucket_s - born_s >= policy.overdue_after_s
    known = grown & (receipts.returned[1] >= policy.returned_least) & (due.sends | (seen > 0))
    expected = np.where(known, due.successes * share * (1 - pi), 0.0)
    came = np.where(known, seen, 0.0)
    if not expected.any():
        return receipts, bank.NO_ALARMS
    ratios = np.array(policy.missing)[:, np.newaxis]
    llr = index.sums(came * np.log(ratios) + expected * (1 - ratios))
    k, m, sure, doubt = index.sums(np.stack((came, expected, receipts.returned[0], expected * due.doubt)))
    unknown = 1 / (sure + policy.level_events) + doubt / np.where(m > 0, m, 1.0)
    charts = bank.advance(receipts.charts, llr, k, m, m, Doubt(unknown), bucket_s)
    hits = _alarms(replace(receipts, charts=charts), policy, threshold, bucket_s)
    charts = bank.latch(charts, policy, llr, hits, bucket_s, MIRROR)
    wobble = wander.watch(receipts.wobble, policy, k - m, m, m > 0, bucket_s)
    return replace(receipts, charts=charts, wobble=wobble), hits


MIRROR = np.array([0, 0, 1, 2, 3])
"""Recovery is tested against the square root of the ratio that is missing, the next milder of the grid."""


SUSPECT_FROM = 2
"""Charts that look for less than this one teach: what is a tenth off is learned, not suspected."""


def _alarms(receipts: Receipts, policy: Policy, threshold: Floats, bucket_s: int) -> Alarms:
    """Scopes whose evidence has reached the threshold."""
    scopes = np.flatnonzero((receipts.charts.w >= threshold).any(axis=0))
    if not len(scopes):
        return bank.NO_ALARMS
    reached = evidence(receipts, policy, scopes, bucket_s)
    return bank.winners(receipts.charts, scopes, reached, threshold)


def evidence(receipts: Receipts, policy: Policy, scopes: Ints, bucket_s: int) -> Floats:
    """E [R, scopes] of missing successes, limited by the wobble of the scopes' receipts."""
    charts, variance = receipts.charts, receipts.wobble.variance(policy, policy.missing_sigma_least)
    w, k, m, v = (a[:, scopes] for a in (charts.w, charts.k, charts.m, charts.v))
    length_s = np.maximum(bucket_s + BUCKET_S - charts.start_s[:, scopes], BUCKET_S).astype(np.float64)
    sigma2 = np.maximum(wander.between_lengths(variance[:, scopes], length_s), v / np.where(m > 0, m, 1.0))
    delta = np.log((m + 0.5) / (k + 0.5))
    return bank.limited(w, delta, sigma2, -np.log(policy.missing_least))


def learn(
    receipts: Receipts,
    policy: Policy,
    due: Due,
    table: Table,
    where: Ints,
    ill: Bools,
    bucket_s: int,
) -> Receipts:
    """One bucket on for what is learned, of leaves that are not `ill` [L]; `where` are the table's."""
    if not due.successes.any() and not table.delays.any():
        return receipts
    delays = receipts.delays
    if table.delays.any():
        delays = delays.copy()
        delays[..., where] += table.delays * ~ill[where]
    block = receipts.block.copy()
    block[0, where] += table.finals
    block[1] += due.successes
    receipts = replace(receipts, delays=delays, block=block)
    end_s = bucket_s + BUCKET_S
    return receipts if end_s % BLOCK_S else _settled(receipts, policy, ill, end_s)


def _settled(receipts: Receipts, policy: Policy, ill: Bools, now_s: int) -> Receipts:
    """After a block: healthy leaves teach how many of their sends come back."""
    charts, first = receipts.charts, len(receipts.charts.flagged_s) - len(ill)
    suspect: Bools = (charts.w[SUSPECT_FROM:] > policy.suspect_evidence).max(axis=0)
    healthy = ~ill & ~suspect[first:]
    return replace(
        receipts,
        delays=receipts.delays * decay(BLOCK_S, policy.memory_s),
        returned=receipts.returned * decay(BLOCK_S, policy.level_memory_s) + healthy * receipts.block,
        block=np.zeros_like(receipts.block),
        wobble=wander.settle(receipts.wobble, policy, suspect, charts.flagged_s > 0, now_s),
    )
