"""What must hold, each row with its figure and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.bench.detection.cost import Cost
from tests.bench.detection.incidents import SIZES, Case
from tests.bench.detection.jobs import KINDS, Results
from tests.bench.detection.numbers import caught, median, poisson_interval, quantile
from tests.bench.detection.quiet import VOLUMES
from tests.bench.detection.scopes import Seen

LEAST_WEEKS = 50_000
MEASURABLE = 20
"""Cells with fewer incidents decide nothing."""


class Bar(NamedTuple):
    """One row. `holds` is None where this form is too small to say."""

    what: str
    bar: str
    figure: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        return {True: "pass", False: "FAIL", None: "too few"}[self.holds]


def bars(results: Results) -> list[Bar]:
    steps = [c for c in results.cases if c.shape == "step"]
    return [
        _false_alarms(results),
        *_delays(steps),
        _first_bucket(steps),
        *_caught(steps),
        _overdue(results.late),
        *_decoys(results),
        *_scopes(results.seen),
        _two(results.seen),
        _bias(results),
        *(_cost(c) for c in results.costs),
    ]


def _false_alarms(results: Results) -> Bar:
    alarms = sum(sum(q.alarms) for q in results.quiet)
    weeks = sum(q.weeks * len(q.volumes) for q in results.quiet)
    low, high = (1000 * x for x in poisson_interval(alarms, weeks))
    figure = f"{alarms} in {weeks:,.0f}: {1000 * alarms / weeks:.2f} ({low:.2f} to {high:.2f})"
    enough = weeks >= LEAST_WEEKS
    holds = high <= 1 if enough else False if low > 1 else None
    what = "false alarms per 1,000 series-weeks, all volumes"
    return Bar(what, "upper 95 % bound ≤ 1, over ≥ 50,000", figure, holds)


def ratios(cases: Iterable[Case]) -> list[float]:
    """Delay over limit of the incidents whose limit lies within them; a miss is infinite."""
    return [c.delay_s / c.limit_s for c in cases if math.isfinite(c.limit_s)]


def cells(cases: list[Case]) -> dict[tuple[float, float], list[Case]]:
    """By volume and size."""
    return {(v, s): [c for c in cases if (c.volume, c.size) == (v, s)] for v in VOLUMES for s in SIZES}


def _delays(steps: list[Case]) -> list[Bar]:
    clear = [c for c in steps if c.volume >= 1 or c.odds >= 8]
    medians = {cell: median(ratios(cs)) for cell, cs in cells(clear).items() if len(ratios(cs)) >= MEASURABLE}
    everything = ratios(steps)
    worst = max(medians, key=medians.__getitem__, default=None)
    where = f" ({worst[0]:g}/s, {worst[1]:.0%})" if worst else ""
    return [
        Bar(
            "delay / limit: median of each volume and size with ≥ 1/s or odds ≥ 8x",
            "≤ 1.2",
            f"at most {medians[worst]:.2f}{where}" if worst else "–",
            medians[worst] <= 1.2 if worst else None,
        ),
        _quantile("delay / limit: all incidents, median", everything, 0.5, 1.1),
        _quantile("delay / limit: all incidents, p90", everything, 0.9, 2.0),
    ]


def _quantile(what: str, values: list[float], q: float, most: float) -> Bar:
    found = quantile(values, q)
    return Bar(what, f"≤ {most}", f"{found:.2f} of {len(values):,}", found <= most if values else None)


def _first_bucket(steps: list[Case]) -> Bar:
    loud = [c for c in steps if c.volume >= 100 and c.size >= 0.12]
    share = caught(c.delay_s if c.delay_s <= 10 else math.inf for c in loud)
    figure = f"{share:.1%} of {len(loud)}; p90 {quantile((c.delay_s for c in loud), 0.9):.0f} s"
    holds = quantile((c.delay_s for c in loud), 0.9) <= 10 if len(loud) >= MEASURABLE else None
    return Bar("≥ 100/s and ≥ 12 %: found in the first bucket", "p90 10 s", figure, holds)


def _caught(steps: list[Case]) -> list[Bar]:
    def row(what: str, wanted: Callable[[float, float], bool], least: float) -> Bar:
        shares = {cell: caught(c.delay_s for c in cs) for cell, cs in cells(steps).items() if wanted(*cell)}
        large = {cell: x for cell, x in shares.items() if len(cells(steps)[cell]) >= MEASURABLE}
        if not large:
            return Bar(what, f"≥ {least:.0%}", "–", None)
        worst = min(large, key=large.__getitem__)
        figure = f"at least {large[worst]:.1%} ({worst[0]:g}/s, {worst[1]:.0%})"
        return Bar(what, f"≥ {least:.0%}", figure, large[worst] >= least)

    return [
        row("caught: 12 % and 40 %, each volume", lambda _, size: size > 0.1, 0.98),
        row("caught: 6 % at ≥ 1/s, each volume", lambda volume, size: volume >= 1 and size < 0.1, 0.90),
    ]


def _overdue(late: list[Seen]) -> Bar:
    found = median(s.delay_s for s in late)
    figure = f"median {found:.0f} s, {caught(s.delay_s for s in late):.0%} found, {len(late)} outages"
    what = "a 40 % outage whose failure receipts come 20 min to 4 h late, at 10/s"
    return Bar(what, "≤ 60 s", figure, found <= 60 if late else None)


DECOYS = {
    "mix shift": 0.0,
    "retry loop": 0.0,
    "blast echo": 10.0,
    "receipt backlog flush": 0.0,
    "night pattern": 0.0,
    "ramp x1.8 over 3 days": 25.0,
}
"""False alarms allowed: none, or so many per 1,000 series-weeks."""


def _decoys(results: Results) -> list[Bar]:
    rows = []
    for name, most in DECOYS.items():
        if name not in results.decoys:
            continue
        alarms, exposure, of = results.decoys[name]
        if not most:
            rows.append(Bar(f"decoy: {name}", "0", f"{alarms} in {exposure:,.0f} {of}", not alarms))
            continue
        rate = 1000 * alarms / exposure
        low, high = (1000 * x for x in poisson_interval(alarms, exposure))
        figure = f"{alarms} in {exposure:,.0f}: {rate:.1f} ({low:.1f} to {high:.1f})"
        holds = None if low <= most < high and exposure < 50 else rate <= most
        rows.append(Bar(f"decoy: {name}", f"≤ {most:g} per 1,000 sw", figure, holds))
    return rows


def exact(seen: Iterable[Seen]) -> float:
    """Share of those found that had the exact scope at the alarm."""
    found = [s for s in seen if s.first is not None]
    return sum(s.first in s.truth for s in found) / len(found) if found else math.nan


def _scopes(seen: list[Seen]) -> list[Bar]:
    single = [s for s in seen if s.kind != "two"]
    rows = []
    for kind in KINDS[:-1]:
        own = [s for s in single if s.kind == kind]
        share = exact(own)
        figure = f"{share:.2f} of {len(own)} ({caught(s.delay_s for s in own):.0%} found)"
        holds = share >= 0.93 if len(own) >= MEASURABLE else None
        rows.append(Bar(f"exact scope at the alarm: {kind}", "≥ .93", figure, holds))
    found = [s for s in single if s.first is not None]
    alerts = sum(s.alerts for s in found) / len(found) if found else math.nan
    rows.append(
        Bar(
            "alerts per incident",
            "≤ 1.05",
            f"{alerts:.2f} of {len(found)}",
            alerts <= 1.05 if found else None,
        )
    )
    return rows


def _two(seen: list[Seen]) -> Bar:
    two = [s for s in seen if s.kind == "two"]
    share = sum(s.soon == s.truth for s in two) / len(two) if two else math.nan
    alerts = sum(s.alerts for s in two) / len(two) if two else math.nan
    figure = f"{share:.2f} of {len(two)}; {alerts:.2f} alerts"
    holds = share >= 0.85 if len(two) >= MEASURABLE else None
    return Bar("two simultaneous causes: exact set within 2 min", "≥ .85", figure, holds)


def _bias(results: Results) -> Bar:
    worst = max(results.bias, key=lambda v: abs(results.bias[v]), default=None)
    figure = f"at most {abs(results.bias[worst]):.3f} ({worst:g}/s)" if worst is not None else "–"
    small = results.form != "full"
    holds = abs(results.bias[worst]) <= 0.1 if worst is not None and not small else None
    return Bar("baseline bias 2 to 3 h after a 12 h incident, in log-odds", "≤ .1", figure, holds)


def _cost(cost: Cost) -> Bar:
    most = 5 if cost.series <= 5000 else 100
    ill = f"{cost.ill_ms:.1f} while an incident is open, {cost.worst_ms:.1f} at worst"
    figure = f"{cost.calm_ms:.1f} ms; {ill}"
    what = f"cost of a whole tick with scopes, {cost.series:,} series"
    return Bar(what, f"≤ {most} ms", figure, max(cost.calm_ms, cost.ill_ms) <= most)
