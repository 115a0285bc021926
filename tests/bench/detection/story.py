"""The plot of docs/detection.md: one outage of a carrier as the detector sees it, run and then drawn.

Above the share of failures by minute in its normal band, below the evidence; both with the moments that
people hear of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from alerts import charts as bank
from alerts import detect
from alerts.detect import RuleState
from alerts.explain import interval
from alerts.policy import Policy
from alerts.records import Incident, Scope, ScopeKind
from streams.records import BUCKET_S
from tests.bench.detection.adapter import Whole, table
from tests.bench.detection.network import ALL, Fault, Shape, Traffic

CARRIER = "c1"
NETWORK = Shape(4, 4, 6.0, spread=0.3)
RATIO, LEARN_S, BEFORE_S, OUTAGE_S, AFTER_S = 0.12, 2 * 86_400 + 14 * 3600, 900, 900, 1200
MINUTE = 60 // BUCKET_S
WIDTH, LEFT, RIGHT, TOP, HIGH, LOW, GAP = 720, 60, 20, 34, 190, 110, 46
MOST_RATIO = 0.25
MOST_NATS = 32.0


class Moment(NamedTuple):
    """One bucket: seconds after the onset at its end, the share of failures of the last minute and the
    band in which it is normal, and the evidence and its threshold in nats."""

    at_s: float
    ratio: float
    low: float
    high: float
    evidence: float
    threshold: float


class Story(NamedTuple):
    """The moments in order, and what became of it, in seconds after the onset."""

    moments: tuple[Moment, ...]
    opened_s: float
    resolved_s: float
    per_s: float
    """Outcomes a second of the carrier, on average."""


def play(seed: int, learn_s: int = LEARN_S) -> Story:
    """Runs everything that decides over one outage. Raises ValueError where it was not found or not over."""
    traffic, policy = Traffic(NETWORK, seed), Policy()
    whole = Whole(policy, traffic.leaves)
    onset_s = learn_s + BEFORE_S
    traffic.faults = (Fault(onset_s, onset_s + OUTAGE_S, RATIO, CARRIER),)
    moments: list[Moment] = []
    minute: list[tuple[float, float, float]] = []
    incidents: tuple[Incident, ...] = ()
    while traffic.now_s < onset_s + OUTAGE_S + AFTER_S:
        block, shown = traffic.block(), traffic.now_s > learn_s
        for t, bucket_s in enumerate(block.bucket_s.tolist()):
            counts = table(whole.leaves, block.n[t], block.k[t])
            if shown:
                rule, said = detect.step(whole.state.rules[0], policy, bucket_s, counts)
                inside = rule.index.members(Scope(ScopeKind.CARRIER, CARRIER, ALL))
                minute.append(
                    (block.n[t][inside].sum(), block.k[t][inside].sum(), (block.n[t] * said.pi)[inside].sum())
                )
                after_s = bucket_s + BUCKET_S - traffic.begin_s - onset_s
                if len(minute) >= MINUTE:
                    moments.append(_moment(rule, said, policy, minute[-MINUTE:], after_s))
            incidents = whole.step(bucket_s, counts).incidents or incidents
    per_s = sum(n for n, _, _ in minute) / len(minute) / BUCKET_S
    return Story(tuple(moments), *_heard(incidents, traffic.begin_s + onset_s), per_s)


def _moment(
    rule: RuleState,
    said: detect.Step,
    policy: Policy,
    minute: Sequence[tuple[float, float, float]],
    after_s: float,
) -> Moment:
    scope = np.array([rule.index.number(Scope(ScopeKind.CARRIER, CARRIER, ALL))])
    n, k, m = np.array(minute).sum(axis=0)
    usual = m / max(n, 1)
    chance = 1 / max(m * (1 - usual), 1e-9)
    low, high = interval(np.array([usual]), said.norms.doubt[scope] + chance)
    bucket_s = rule.ring[-1].bucket_s
    evidence = bank.evidence(rule.charts, policy, said.norms, scope, bucket_s).max()
    threshold = said.norms.threshold[scope[0]]
    return Moment(after_s, k / max(n, 1), float(low[0]), float(high[0]), float(evidence), float(threshold))


def _heard(incidents: Sequence[Incident], onset_s: float) -> tuple[float, float]:
    for one in incidents:
        if (one.scope, one.carrier) == (ScopeKind.CARRIER.value, CARRIER) and one.resolved_bucket_s:
            return one.detected_ms / 1000 - onset_s, one.resolved_bucket_s + BUCKET_S - onset_s
    raise ValueError("the outage was not found as that carrier's, or is not over")


def svg(story: Story) -> str:
    """Two panels over the minutes since the onset."""
    height = TOP + HIGH + GAP + LOW + 40
    begin = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">'
    )
    parts = [
        begin,
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_ratios(story),
        *_nats(story),
        *_times(story),
    ]
    return "\n".join([*parts, "</svg>\n"])


def _x(story: Story, at_s: float) -> float:
    first, last = story.moments[0].at_s, story.moments[-1].at_s
    return LEFT + (at_s - first) / (last - first) * (WIDTH - LEFT - RIGHT)


def _y_ratio(ratio: float) -> float:
    return TOP + HIGH * (1 - min(ratio, MOST_RATIO) / MOST_RATIO)


def _y_nats(nats: float) -> float:
    return TOP + HIGH + GAP + LOW * (1 - min(nats, MOST_NATS) / MOST_NATS)


def _ratios(story: Story) -> Iterator[str]:
    carrier = f"A carrier with {story.per_s:.0f} messages a second"
    title = f"{carrier} fails at {RATIO:.0%}: share of failures, last minute"
    yield f'<text x="{LEFT}" y="20" font-size="13">{title}</text>'
    for ratio in (0.05, 0.10, 0.15, 0.20, 0.25):
        yield from _rule(_y_ratio(ratio), f"{ratio:.0%}")
    upper = [f"{_x(story, m.at_s):.1f},{_y_ratio(m.high):.1f}" for m in story.moments]
    lower = [f"{_x(story, m.at_s):.1f},{_y_ratio(m.low):.1f}" for m in story.moments]
    yield f'<polygon points="{" ".join([*upper, *reversed(lower)])}" fill="#1f77b4" fill-opacity="0.18"/>'
    line = " ".join(f"{_x(story, m.at_s):.1f},{_y_ratio(m.ratio):.1f}" for m in story.moments)
    yield f'<polyline points="{line}" fill="none" stroke="#d62728" stroke-width="1.5"/>'
    y = min(_y_ratio(m.high) for m in story.moments if m.at_s < 0) - 6
    yield f'<text x="{LEFT + 6}" y="{y:.1f}" font-size="11" fill="#1f77b4">normal, chance included</text>'


def _nats(story: Story) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="{TOP + HIGH + GAP - 8}" font-size="13">Evidence, nats (logarithm of how much \
better “it got worse” explains it)</text>'
    for nats in (0, 16, 32):
        yield from _rule(_y_nats(nats), f"{nats}")
    line = " ".join(f"{_x(story, m.at_s):.1f},{_y_nats(m.evidence):.1f}" for m in story.moments)
    yield f'<polyline points="{line}" fill="none" stroke="#333333" stroke-width="1.5"/>'
    y = _y_nats(story.moments[0].threshold)
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d62728" \
stroke-dasharray="5 4"/>'
    yield f'<text x="{WIDTH - RIGHT}" y="{y - 5:.1f}" font-size="11" text-anchor="end" fill="#d62728">\
decides</text>'


def _times(story: Story) -> Iterator[str]:
    bottom = TOP + HIGH + GAP + LOW
    marks = (
        (0.0, "begins", "end"),
        (story.opened_s, f"opened after {story.opened_s:.0f} s", "start"),
        (float(OUTAGE_S), "ends", "end"),
        (story.resolved_s, f"resolved {story.resolved_s - OUTAGE_S:.0f} s later", "start"),
    )
    for at_s, words, anchor in marks:
        x = _x(story, at_s)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#555555" \
stroke-dasharray="2 3"/>'
        shift = -4 if anchor == "end" else 4
        yield f'<text x="{x + shift:.1f}" y="{TOP + 11}" font-size="11" text-anchor="{anchor}">{words}</text>'
    for minute in range(-15, 41, 5):
        x = _x(story, minute * 60)
        if LEFT <= x <= WIDTH - RIGHT:
            yield f'<text x="{x:.1f}" y="{bottom + 18}" font-size="11" text-anchor="middle">{minute}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{bottom + 34}" font-size="11" text-anchor="end">minutes since it \
began</text>'


def _rule(y: float, words: str) -> Iterator[str]:
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e2e2"/>'
    yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{words}</text>'
