"""What is normal: the failure probability of each leaf series if nothing is wrong.

Discounted counts by hour of day, drawn to the mean of the series, that to what its carrier and
region let expect; a level on top that follows within a day (docs/detection.md, 1). Hours and
weekdays are of UTC. Arrays end in the axis [L] of leaves in the order of the rule's index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.odds import decay, expit, logit, padded
from alerts.policy import Policy
from alerts.scopes import Index

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOURS = 24
HOUR_S, DAY_S = 3600, 86_400
BLOCK_S = 600
"""What is learned at once: counts of 10 min."""
MONDAY_OFFSET = 3
"""1970-01-01 was a Thursday: days since then plus 3, modulo 7, is 0 on Mondays."""


class Between(NamedTuple):
    """A moment between the middles of two hours: their bins and the share of the second."""

    first: int
    second: int
    share: float


def between(at_s: int) -> Between:
    """The bins around `at_s`; bins 0 to 23 are hours of weekdays, 24 to 47 of weekends."""
    before_s = (at_s - HOUR_S // 2) // HOUR_S * HOUR_S
    share = (at_s - HOUR_S // 2 - before_s) / HOUR_S
    return Between(bin_of(before_s), bin_of(before_s + HOUR_S), share)


def bin_of(at_s: int) -> int:
    day, hour = at_s // DAY_S, at_s % DAY_S // HOUR_S
    weekend = (day + MONDAY_OFFSET) % 7 >= 5
    return hour + HOURS * weekend


class Hours(NamedTuple):
    """The hours around the bucket `bucket_s`: their log-odds [L]."""

    bucket_s: int
    at: Between
    first: Floats
    second: Floats

    @property
    def mixed(self) -> Floats:
        """Log-odds [L] between them, without the level."""
        return (1 - self.at.share) * self.first + self.at.share * self.second


@dataclass(frozen=True)
class Baseline:
    """What was learned of each leaf. Counts are weighted and discounted (half-life in the policy)."""

    failed: Float32s
    """[48, L] failures by hour of weekdays and of weekends."""
    seen: Float32s
    """[48, L] outcomes, likewise."""
    discounted_s: Ints
    """[48] until when the counts of each bin are discounted."""
    total: Floats
    """[2, L] failures and outcomes of all bins."""
    level: Floats
    """[2, L] failures of late, and those that the hours alone let expect."""
    taken_s: Ints
    """[1] until when `total` and `level` are discounted."""
    volume: Float32s
    """[24, L] outcomes in 10 min by hour of day, typically."""
    born_s: Ints
    """[L] bucket in which the leaf was first seen."""
    prior: Floats
    """[L] what carrier and region let expect."""
    mean: Floats
    """[L] the same with the leaf's own counts."""
    spread: Floats
    """[L] variance of the log-odds of the hours over all days."""

    @classmethod
    def empty(cls) -> Baseline:
        bins = np.zeros((2 * HOURS, 0), dtype=np.float32)
        no_s = np.zeros(0, dtype=np.int64)
        return cls(
            failed=bins,
            seen=bins,
            discounted_s=np.zeros(2 * HOURS, dtype=np.int64),
            total=np.zeros((2, 0)),
            level=np.zeros((2, 0)),
            taken_s=np.zeros(1, dtype=np.int64),
            volume=bins[:HOURS],
            born_s=no_s,
            prior=np.zeros(0),
            mean=np.zeros(0),
            spread=np.zeros(0),
        )

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Baseline:
        """That of a snapshot; the spread of the hours, which one of a version before lacks, is none."""
        return cls(**{"spread": np.zeros_like(arrays["mean"]), **arrays})

    def grown(self, index: Index, policy: Policy, bucket_s: int) -> Baseline:
        """The same with the new leaves of `index` at its end, known by carrier and region alone."""
        old, size = len(self.born_s), len(index.leaves)
        wider = replace(
            self,
            failed=padded(self.failed, size),
            seen=padded(self.seen, size),
            total=padded(self.total, size),
            level=padded(self.level, size),
            volume=padded(self.volume, size),
            born_s=np.concatenate((self.born_s, np.full(size - old, bucket_s, dtype=np.int64))),
        )
        prior = wider.expected_of(index, policy, bucket_s)
        new = prior[old:]
        return replace(
            wider,
            prior=np.concatenate((self.prior, new)),
            mean=np.concatenate((self.mean, new)),
            spread=padded(self.spread, size),
        )

    def expected(self, policy: Policy, bucket_s: int, offset: Floats | float = 0.0) -> Floats:
        """Failure probability in (0, 1) of each leaf for one bucket [L]; `offset` moves its log-odds."""
        return self.lifted(policy, self.hours(policy, bucket_s), offset)

    def lifted(self, policy: Policy, hours: Hours, offset: Floats | float = 0.0) -> Floats:
        """The same of hours that are known already."""
        level = np.log((self.level[0] + policy.level_events) / (self.level[1] + policy.level_events))
        lifted = hours.mixed + np.clip(level, -policy.level_most, policy.level_most)
        return expit(lifted + offset)

    def by_hour(self, policy: Policy, bucket_s: int) -> Floats:
        """The same without the level [L]."""
        return expit(self.hours(policy, bucket_s).mixed)

    def known(self, policy: Policy, bucket_s: int) -> Floats:
        """Failures [L] on which the expectation at `bucket_s` rests, besides the prior: between two hours
        as many as their mixed variance is worth."""
        at, prior = between(bucket_s), policy.prior_failures
        first, second = (self._counts(policy, b, bucket_s)[0] + prior for b in (at.first, at.second))
        worth: Floats = 1 / ((1 - at.share) / first + at.share / second) - prior
        return worth

    def hours(self, policy: Policy, bucket_s: int) -> Hours:
        at = between(bucket_s)
        return Hours(bucket_s, at, *(self._logit(policy, b, bucket_s) for b in (at.first, at.second)))

    def doubt(self, policy: Policy, hours: Hours) -> tuple[Floats, Floats]:
        """Variances [L] of the log-odds for what the hours do not say: steep ones, and unseen ones.

        Between the middles of two that differ it may all happen at once, at any moment. An hour not seen
        yet on such a day, of the week or of its end, may be like any other hour.
        """
        at, weight = hours.at, policy.prior_failures
        own, next_own = (self._bin(policy, b, hours.bucket_s)[0] for b in (at.first, at.second))
        steep = at.share * (1 - at.share) * (hours.second - hours.first) ** 2
        unseen = (1 - at.share) / (own + weight) + at.share / (next_own + weight)
        return steep, self.spread * weight * unseen

    def _logit(self, policy: Policy, which: int, bucket_s: int) -> Floats:
        """Log-odds of one bin, drawn to the hour over all days, and that to the mean."""
        weight, (own_failed, own_seen) = policy.prior_failures, self._bin(policy, which, bucket_s)
        hour = self._hour(policy, which % HOURS, bucket_s)
        return logit((own_failed + weight) / (own_seen + weight / hour))

    def _hour(self, policy: Policy, hour: int, bucket_s: int) -> Floats:
        """Failure probability [L] of one hour over all days, drawn to the mean."""
        failed, seen = self._counts(policy, hour, bucket_s)
        ratio: Floats = (failed + policy.prior_failures) / (seen + policy.prior_failures / self.mean)
        return ratio

    def _counts(self, policy: Policy, which: int, bucket_s: int) -> tuple[Floats, Floats]:
        """Failures and outcomes [L] of the hour of bin `which` over all days, as of `bucket_s`."""
        hour = which % HOURS
        week, weekend = (self._bin(policy, b, bucket_s) for b in (hour, hour + HOURS))
        return week[0] + weekend[0], week[1] + weekend[1]

    def _bin(self, policy: Policy, which: int, bucket_s: int) -> tuple[Floats, Floats]:
        share = decay(bucket_s - int(self.discounted_s[which]), policy.memory_s)
        return self.failed[which] * share, self.seen[which] * share

    def expected_of(self, index: Index, policy: Policy, bucket_s: int) -> Floats:
        """expit(g + a_carrier + b_region) of each leaf [L]: additive log-odds, each effect drawn to 0."""
        weight, (failed, seen) = policy.prior_failures, self._total(policy, bucket_s)
        g = logit((failed.sum() + weight) / (seen.sum() + weight / policy.prior))
        of_carrier = _effect(index.carrier_of, failed, seen * expit(g), weight)
        of_region = _effect(index.region_of, failed, seen * expit(g + of_carrier), weight)
        return expit(g + of_carrier + of_region)

    def own(self, policy: Policy, bucket_s: int) -> Floats:
        """Failures [L] of each leaf itself on which its mean rests."""
        failures: Floats = self._total(policy, bucket_s)[0]
        return failures

    def _total(self, policy: Policy, now_s: int) -> Floats:
        return self.total * decay(now_s - int(self.taken_s[0]), policy.memory_s)

    def familiar(self, bucket_s: int) -> Bools:
        """Leaves [L] that have been seen for a day: their `volume` is known."""
        old: Bools = bucket_s - self.born_s > DAY_S + HOUR_S
        return old

    def typical(self, bucket_s: int) -> Float32s:
        """`volume` [L] of the hour of `bucket_s`, 0 where not known yet."""
        usual: Float32s = self.volume[bin_of(bucket_s) % HOURS] * self.familiar(bucket_s)
        return usual


def learn(
    base: Baseline, policy: Policy, block_s: int, k: Float32s, n: Float32s, weight: Floats, now_s: int
) -> Baseline:
    """The counts of one block [L] taken in, each leaf's by `weight`; 0 where there is nothing to learn."""
    which = bin_of(block_s)
    failed, seen = base.failed.copy(), base.seen.copy()
    share = decay(now_s - int(base.discounted_s[which]), policy.memory_s)
    failed[which] = failed[which] * share + weight * k
    seen[which] = seen[which] * share + weight * n
    discounted_s = base.discounted_s.copy()
    discounted_s[which] = now_s
    expected = n * base.by_hour(policy, block_s + BLOCK_S // 2)
    late = decay(now_s - int(base.taken_s[0]), policy.level_memory_s)
    return replace(
        base,
        failed=failed,
        seen=seen,
        discounted_s=discounted_s,
        total=base._total(policy, now_s) + weight * np.stack((k, n)),
        level=base.level * late + weight * np.stack((k, expected)),
        taken_s=np.array([now_s], dtype=np.int64),
    )


def learn_volume(base: Baseline, policy: Policy, block_s: int, n: Float32s, well: Bools) -> Baseline:
    """The volume of one block [L] taken in where `well`: an average at first, then discounted.

    Once a day is known, a block counts for at most so much as makes a blast.
    """
    hour = bin_of(block_s) % HOURS
    days = np.maximum(block_s - base.born_s, 0) // DAY_S
    visits = HOUR_S // BLOCK_S * days + (block_s % HOUR_S) // BLOCK_S
    gain = np.maximum(1 / (1 + visits), 1 - 0.5 ** (DAY_S / policy.memory_s / (HOUR_S // BLOCK_S)))
    most = np.where(days > 0, np.maximum(policy.blast * base.volume[hour], 1.0), np.inf)
    volume = base.volume.copy()
    volume[hour] += np.where(well, gain * (np.minimum(n, most) - volume[hour]), 0)
    return replace(base, volume=volume)


def moved_to(base: Baseline, policy: Policy, leaves: Bools, ratio: Floats, now_s: int) -> Baseline:
    """The baseline with `ratio` [L] as what is normal of some `leaves` at all hours, as sure as a prior."""
    shares = np.array([decay(now_s - int(at_s), policy.memory_s) for at_s in base.discounted_s])
    left = shares.astype(np.float32)[:, np.newaxis]
    failed = np.float32(policy.prior_failures)
    seen = (failed / np.clip(ratio, 1e-6, 1)).astype(np.float32)
    total = len(base.failed) * np.stack((np.full(len(ratio), failed), seen))
    return replace(
        base,
        failed=np.where(leaves, failed, base.failed * left),
        seen=np.where(leaves, seen, base.seen * left),
        discounted_s=np.full_like(base.discounted_s, now_s),
        total=np.where(leaves, total, base._total(policy, now_s)),
        level=np.where(leaves, 0, base.level * decay(now_s - int(base.taken_s[0]), policy.level_memory_s)),
        taken_s=np.array([now_s], dtype=np.int64),
        mean=np.where(leaves, ratio, base.mean),
    )


def settled(base: Baseline, index: Index, policy: Policy, now_s: int) -> Baseline:
    """Priors, means and the spread of the hours follow what was learned."""
    failed, seen = base._total(policy, now_s)
    prior = base.expected_of(index, policy, now_s)
    weight = policy.prior_failures
    base = replace(base, prior=prior, mean=(failed + weight) / (seen + weight / prior))
    hours = np.stack([logit(base._hour(policy, hour, now_s)) for hour in range(HOURS)])
    return replace(base, spread=hours.var(axis=0))


def _effect(group_of: Ints, failed: Floats, expected: Floats, weight: float) -> Floats:
    """ln of failures over those expected, by group and drawn to 0, for each leaf [L]."""
    sums = [np.bincount(group_of, weights=values) + weight for values in (failed, expected)]
    effect: Floats = np.log(sums[0] / sums[1])
    return effect[group_of]
