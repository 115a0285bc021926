"""Results as Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tests.bench.detection.bars import Bar, bars, cells, exact, ratios
from tests.bench.detection.incidents import SHAPES, Case
from tests.bench.detection.jobs import KINDS, Results
from tests.bench.detection.numbers import caught, median, poisson_interval, quantile, seconds
from tests.bench.detection.quiet import VOLUMES
from tests.bench.detection.rivals import DEFAULTS
from tests.bench.detection.scenario import Score
from tests.bench.detection.scored import best, thresholds


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"


def bar_table(rows: Sequence[Bar]) -> Iterator[str]:
    return table(("figure", "bar", "measured", ""), ((b.what, b.bar, b.figure, b.verdict) for b in rows))


def sections(results: Results, scores: Sequence[Score]) -> Iterator[tuple[str, list[str]]]:
    """(heading, lines) of everything that is shown."""
    chosen = choose(results)
    yield "What must hold", list(bar_table(bars(results)))
    yield "False alarms", list(_false_alarms(results))
    yield "False alarms of what is deployed, at its defaults, per series-week", list(_rivals_false(results))
    yield "Delay from onset, and share caught", list(_delays(results.cases, results, chosen))
    yield "Slow onsets", list(_shapes(results.cases))
    yield "Scopes", list(_scopes(results))
    yield "Decoys", list(_decoys(results))
    yield "From outside, through `replay --folded`", list(_scores(scores))


def _false_alarms(results: Results) -> Iterator[str]:
    def rows() -> Iterator[Sequence[object]]:
        for i, volume in enumerate(VOLUMES):
            alarms = sum(q.alarms[i] for q in results.quiet)
            weeks = sum(q.weeks for q in results.quiet)
            yield f"{volume:g}", f"{weeks:,.0f}", alarms, *_rate(alarms, weeks)

    yield from table(("outcomes/s", "series-weeks", "alarms", "per 1,000", "95 % interval"), rows())


def _rate(alarms: int, weeks: float) -> tuple[str, str]:
    low, high = (1000 * x for x in poisson_interval(alarms, weeks))
    return f"{1000 * alarms / weeks:.2f}", f"{low:.2f} to {high:.2f}"


def _rivals_false(results: Results) -> Iterator[str]:
    watched = next((q for q in results.quiet if q.rivals is not None), None)
    if watched is None or watched.rivals is None:
        return
    episodes, weeks = watched.rivals, watched.rival_weeks
    rows = (
        (name, *(f"{episodes[i, 0, v] / weeks:.2g}" for v in range(len(VOLUMES))))
        for i, name in enumerate(DEFAULTS)
    )
    yield from table(("at its defaults", *(f"{v:g}/s" for v in VOLUMES)), rows)


def choose(results: Results) -> dict[tuple[str, float], int | None]:
    """Place in the grid of each rival's least threshold with at most one false alarm in 1,000 series-weeks,
    by volume; None where there is none."""
    watched = next((q for q in results.quiet if q.rivals is not None), None)
    if watched is None or watched.rivals is None:
        return {}
    return {
        (name, volume): best(watched.rivals[i, :, v], watched.rival_weeks)
        for i, name in enumerate(DEFAULTS)
        for v, volume in enumerate(VOLUMES)
    }


def rival_delays(cases: Sequence[Case], name: str, place: int) -> list[float]:
    i = list(DEFAULTS).index(name)
    return [float(c.rivals[i, place]) for c in cases if c.rivals is not None]


def _delays(
    cases: list[Case], results: Results, chosen: dict[tuple[str, float], int | None]
) -> Iterator[str]:
    steps = [c for c in cases if c.shape == "step"]

    def rows() -> Iterator[Sequence[object]]:
        for (volume, size), own in cells(steps).items():
            if not own:
                continue
            yield (
                f"{volume:g}, {size:.0%}",
                len(own),
                seconds(median(c.limit_s for c in own)),
                seconds(median(c.oracle_s for c in own)),
                _with_share([c.delay_s for c in own]),
                f"{median(ratios(own)):.2f}",
                *(_of_rival(own, name, chosen.get((name, volume))) for name in DEFAULTS),
            )

    head = ("/s, ratio", "incidents", "limit", "oracle", "this detector", "delay / limit", *DEFAULTS)
    yield from table(head, rows())


def _with_share(delays: list[float]) -> str:
    share = caught(delays)
    middle = median(delays)
    if not math.isfinite(middle):
        return f"{share:.0%} caught"
    return seconds(middle) if share == 1 else f"{seconds(middle)} ({share:.0%})"


def _of_rival(cases: Sequence[Case], name: str, place: int | None) -> str:
    return "–" if place is None else _with_share(rival_delays(cases, name, place))


def _shapes(cases: list[Case]) -> Iterator[str]:
    def rows() -> Iterator[Sequence[object]]:
        for shape in SHAPES:
            own = [c for c in cases if c.shape == shape]
            if own:
                found = ratios(own)
                share = caught(c.delay_s for c in own)
                quantiles = (f"{median(found):.2f}", f"{quantile(found, 0.9):.2f}")
                yield shape, len(own), f"{share:.1%}", *quantiles

    yield from table(("onset", "incidents", "caught", "delay / limit, median", "p90"), rows())


def _scopes(results: Results) -> Iterator[str]:
    def rows() -> Iterator[Sequence[object]]:
        for kind in KINDS:
            own = [s for s in results.seen if s.kind == kind]
            if own:
                share = caught(s.delay_s for s in own)
                soon = sum(s.soon == s.truth for s in own) / len(own)
                alerts = sum(s.alerts for s in own) / len(own)
                delay = seconds(median(s.delay_s for s in own))
                over = sum(s.over for s in own) / len(own)
                at_alarm = f"{exact(own):.2f}"
                yield (
                    kind,
                    len(own),
                    f"{share:.0%}",
                    delay,
                    at_alarm,
                    f"{soon:.2f}",
                    f"{alerts:.2f}",
                    f"{over:.0%}",
                )

    head = ("cause", "runs", "found", "delay, median", "exact at the alarm", "exact set after 2 min")
    yield from table((*head, "alerts", "resolved"), rows())
    alarms, weeks = (
        (sum(column) for column in zip(*results.false_whole, strict=True)) if results.false_whole else (0, 0)
    )
    yield ""
    yield f"Undisturbed in between: {alarms} incidents in {weeks:,.0f} series-weeks."


def _decoys(results: Results) -> Iterator[str]:
    def rows() -> Iterator[Sequence[object]]:
        for name, (alarms, exposure, of) in results.decoys.items():
            yield name, alarms, f"{exposure:,.1f} {of}", *_rate(alarms, exposure)

    yield from table(("decoy", "false alarms", "in", "per 1,000", "95 % interval"), rows())


def _scores(scores: Sequence[Score]) -> Iterator[str]:
    rows = (
        (s.name, s.expected, s.found, s.named, s.other, ", ".join(seconds(d) for d in s.delays_s) or "–")
        for s in scores
    )
    yield from table(("scenario", "incidents", "found", "exact scope", "others", "delay"), rows)


def summary(results: Results, scores: Sequence[Score]) -> dict[str, Any]:
    """The same as plain data."""
    steps = [c for c in results.cases if c.shape == "step"]
    chosen = choose(results)
    return {
        "form": results.form,
        "first_seed": results.first_seed,
        "seeds_from": results.seeds_from,
        "seconds": round(results.seconds),
        "bars": [b._asdict() | {"verdict": b.verdict} for b in bars(results)],
        "false_alarms": {
            f"{v:g}": [sum(q.alarms[i] for q in results.quiet), sum(q.weeks for q in results.quiet)]
            for i, v in enumerate(VOLUMES)
        },
        "delays": {
            f"{v:g}/s {s:.0%}": {
                "incidents": len(own),
                "limit_s": _json(median(c.limit_s for c in own)),
                "oracle_s": _json(median(c.oracle_s for c in own)),
                "delay_s": _json(median(c.delay_s for c in own)),
                "caught": _json(caught(c.delay_s for c in own)),
            }
            for (v, s), own in cells(steps).items()
        },
        "rival_thresholds": {
            f"{name} {v:g}/s": None if place is None else float(thresholds(name)[place])
            for (name, v), place in chosen.items()
        },
        "scopes": {k: _json(exact(s for s in results.seen if s.kind == k)) for k in KINDS},
        "decoys": {name: list(got) for name, got in results.decoys.items()},
        "bias": {f"{v:g}": x for v, x in results.bias.items()},
        "costs": [c._asdict() for c in results.costs],
        "scenarios": [s._asdict() for s in scores],
    }


def _json(x: float) -> float | None:
    return float(np.round(x, 4)) if math.isfinite(x) else None
