"""Which budget of false pages would have kept the useful ones and dropped the false ones.

The same time under a ladder of budgets; people's verdicts judge each. Few verdicts prove little: every
share comes with its interval, and below ENOUGH of either kind nothing is advised.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from alerts.policy import Policy
from alerts.replay.compare import table
from alerts.replay.run import Replay
from alerts.replay.told import found
from alerts.replay.verdicts import Score, Verdict, score, within

FACTORS = (1.0, 0.01, 0.03, 0.1, 0.3, 3.0, 10.0)
"""Budgets of the ladder, as multiples of the one in force, which comes first."""
ENOUGH = 5
"""Useful and false verdicts that are needed before anything is advised."""
Z95 = 1.96


class Share(msgspec.Struct, frozen=True):
    """k of n, and the 95 % interval of the probability behind it."""

    k: int
    n: int
    low: float
    high: float

    @classmethod
    def of(cls, k: int, n: int) -> Share:
        """Wilson's score interval (1927); nothing is known of 0 of 0."""
        if n == 0:
            return cls(0, 0, 0.0, 1.0)
        share, z2 = k / n, Z95**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        reach = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return cls(k, n, max(0.0, min(middle - reach, share)), min(1.0, max(middle + reach, share)))

    def words(self) -> str:
        return f"{self.k} of {self.n} ({self.low:.0%} to {self.high:.0%})" if self.n else "none"


class Rung(msgspec.Struct, frozen=True):
    """One budget: false pages a week over all rules, the evidence that it asks of pairs (nats), its score."""

    budget: float
    bar: float
    useful_kept: Share
    false_dropped: Share
    score: Score


class Advice(msgspec.Struct, frozen=True):
    """`budget` is what is advised for `alerting.false_pages_per_week`; None for no advice."""

    budget: float | None
    why: str
    rungs: list[Rung]


def ladder(policy: Policy) -> tuple[list[Policy], list[str]]:
    """The policy under each budget, and what they are called; the one in force first."""
    budgets = [policy.false_pages_per_week * factor for factor in FACTORS]
    return [msgspec.structs.replace(policy, false_pages_per_week=b) for b in budgets], [
        f"{b:g}" for b in budgets
    ]


def advise(runs: Sequence[Replay], said: Sequence[Verdict]) -> Advice:
    """`runs` under the policies of `ladder`."""
    said = within(said, runs[0].begun_s, runs[0].ended_s)
    return chosen([_rung(run, said) for run in runs])


def _rung(run: Replay, said: Sequence[Verdict]) -> Rung:
    """The budget of a policy is one rule's share; people set that of all."""
    rules = run.state.rules
    own = score(found(run), said)
    bar = max((run.policy.evidence(len(rule.index.leaves)) for rule in rules), default=run.policy.threshold)
    kept = Share.of(own.useful_kept + own.too_late_kept, own.useful + own.too_late)
    dropped = Share.of(own.false_dropped, own.false)
    return Rung(run.policy.false_pages_per_week * max(len(rules), 1), bar, kept, dropped, own)


def chosen(rungs: Sequence[Rung]) -> Advice:
    """Of the budgets that lose no page that the first one keeps, the one that drops the most false ones;
    of several the nearest to the first."""
    first, by_budget = rungs[0], sorted(rungs, key=lambda r: r.budget)
    if min(first.useful_kept.n, first.false_dropped.n) < ENOUGH:
        why = (
            f"too few verdicts: {first.useful_kept.n} on pages that were wanted, {first.false_dropped.n} on "
            f"false ones, and {ENOUGH} of each are the least from which anything follows"
        )
        return Advice(None, why, by_budget)
    able = [r for r in rungs if r.useful_kept.k >= first.useful_kept.k]
    best = max(able, key=lambda r: (r.false_dropped.k, -abs(math.log(r.budget / first.budget))))
    if best.false_dropped.k <= first.false_dropped.k:
        why = "no other budget drops more false pages without losing one that was wanted"
        return Advice(first.budget, why, by_budget)
    why = (
        f"it would have dropped {best.false_dropped.words()} of the false pages and kept "
        f"{best.useful_kept.words()} of those that were wanted"
    )
    return Advice(best.budget, why, by_budget)


def lines(advice: Advice) -> Iterator[str]:
    """For people."""
    headings = ("FALSE PAGES A WEEK", "BAR", "WANTED KEPT", "FALSE DROPPED", "NOT JUDGED", "LATER BY")
    yield from table([headings, *map(_row, advice.rungs)])
    yield ""
    if advice.budget is None:
        yield f"No advice: {advice.why}."
    else:
        yield f"alerting.false_pages_per_week = {advice.budget:g}: {advice.why}."
    yield "Shares are with their 95 % intervals. What never paged was never judged: what a higher budget adds"
    yield "is in what is not judged. The bar is the evidence (nats) that alarms; 16.4 is the least."


def _row(rung: Rung) -> tuple[str, ...]:
    delay = rung.score.delay_s
    return (
        f"{rung.budget:g}",
        f"{rung.bar:.1f}",
        rung.useful_kept.words(),
        rung.false_dropped.words(),
        str(rung.score.unjudged),
        "-" if delay is None else f"{delay:+.0f} s",
    )
