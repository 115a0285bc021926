"""Everything that is run, as jobs for two processes, and what comes back."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from alerts.policy import Policy
from tests.bench.detection import bias, cost, incidents, quiet
from tests.bench.detection.forms import Form
from tests.bench.detection.incidents import Case, Ill
from tests.bench.detection.network import Decoy, Fault, Shape
from tests.bench.detection.quiet import Quiet, QuietResult
from tests.bench.detection.scopes import Seen, Trunk, draw, observe, quiet_alarms
from tests.bench.detection.series import DAY_S, WEEK_S, Habits

RIVALS = 180
"""Series a volume at which rivals look too: they cost more than the detector."""
KINDS = ("pair", "carrier", "region", "global", "two")
STRESS = Habits(tail=3.0, noise_tail=True, steps_a_week=1.0, step_sd=0.4)
HEAVY = Habits(tail=5.0)
NIGHT = Habits(base=(0.005, 0.02), night_logit=1.2)
DELAYED = Shape(carriers=6, regions=5, rate=90.0, delayed=True, blasts_a_day=1.0)


@dataclass
class Results:
    """All that was measured."""

    form: str
    first_seed: int
    seeds_from: str
    quiet: list[QuietResult] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    false_whole: list[tuple[int, float]] = field(default_factory=list)
    """Incidents of undisturbed networks, and their series-weeks."""
    decoys: dict[str, tuple[int, float, str]] = field(default_factory=dict)
    """False alarms, out of how many, of what (runs or series-weeks)."""
    late: list[Seen] = field(default_factory=list)
    bias: dict[float, float] = field(default_factory=dict)
    costs: list[cost.Cost] = field(default_factory=list)
    seconds: float = 0.0


Job = tuple[str, Callable[..., Any], tuple[Any, ...]]


def run_all(
    form: Form, first_seed: int, seeds_from: str, nab: Path | None, say: Callable[[str], None]
) -> Results:
    """Costs first, alone on the machine; the rest in two processes."""
    began, results = time.perf_counter(), Results(form.name, first_seed, seeds_from)
    for carriers, regions, ticks in ((100, 50, form.ticks), (400, 250, 15))[: 2 if form.large else 1]:
        results.costs.append(cost.measure(carriers, regions, ticks))
        say(f"cost of a tick: {results.costs[-1]}")
    seeds = iter(range(first_seed, first_seed + 10_000))
    jobs = [*_jobs(form, seeds), *_nab_jobs(form, seeds, nab)]
    with ProcessPoolExecutor(max_workers=2) as pool:
        waiting = {pool.submit(run, *args): name for name, run, args in jobs}
        for i, done in enumerate(as_completed(waiting), 1):
            _take(results, waiting[done], done.result())
            say(f"{i} of {len(jobs)}: {waiting[done]}, {time.perf_counter() - began:.0f} s")
    results.seconds = time.perf_counter() - began
    return results


def _jobs(form: Form, seeds: Iterator[int]) -> Iterator[Job]:
    """The longest first."""
    normal = Quiet(0, form.quiet_a_volume, form.warm_weeks, form.quiet_weeks)
    for i in range(form.quiet_jobs):
        rivals = min(form.quiet_a_volume, RIVALS) if not i else 0
        yield "quiet", quiet.run, (replace(normal, seed=next(seeds), rivals=rivals),)
    for _ in range(form.networks):
        yield "scopes", scopes, (form, next(seeds))
    for _ in range(form.ill_jobs):
        yield (
            "incidents",
            incidents.run,
            (Ill(next(seeds), form.ill_a_volume, form.warm_weeks, form.ill_weeks),),
        )
    yield "delayed", delayed, (form, next(seeds))
    yield (
        "bias",
        bias.run,
        (bias.Twins(next(seeds), form.bias_a_volume, form.warm_weeks, form.bias_length_s),),
    )
    decoy = Quiet(0, form.decoy_a_volume, form.warm_weeks, form.decoy_weeks)
    ramp = Habits(
        ramp=1.8, ramp_from_s=form.warm_weeks * WEEK_S, ramp_s=min(3 * DAY_S, form.decoy_weeks * WEEK_S)
    )
    odd = {"night pattern": NIGHT, "ramp x1.8 over 3 days": ramp, "t5 wobble": HEAVY, "stress": STRESS}
    for name, habits in odd.items():
        yield name, quiet.run, (replace(decoy, seed=next(seeds), habits=habits),)


def _nab_jobs(form: Form, seeds: Iterator[int], nab: Path | None) -> Iterator[Job]:
    """Volume shapes of the Numenta Anomaly Benchmark, where a checkout of it is at hand."""
    if nab is None:
        return
    files = [*sorted((nab / "data/realTweets").glob("*.csv")), nab / "data/realKnownCause/nyc_taxi.csv"]
    shapes = tuple(_shape(path) for path in files)
    habits = Habits(day_volume=0, weekend=1, burst_shape=0, blasts_a_day=0)
    job = Quiet(0, len(shapes), form.warm_weeks, form.decoy_weeks, habits, volumes=(1.0, 20.0), shapes=shapes)
    yield "NAB volumes", quiet.run, (replace(job, seed=next(seeds)),)


def _shape(path: Path) -> tuple[float, ...]:
    with path.open() as file:
        values = np.array([float(row["value"]) for row in csv.DictReader(file)])
    return tuple((values / np.median(values[values > 0])).tolist())


def scopes(form: Form, seed: int) -> tuple[list[Seen], dict[str, int], tuple[int, float]]:
    """Faults of every kind, and the decoys of a network, from one network that has learned."""
    carriers, regions, rate = form.network_size
    trunk, rng = Trunk.of(Shape(carriers, regions, rate), seed, Policy()), np.random.default_rng((seed, 3))
    trunk.advance(form.network_warm_s)
    seen: list[Seen] = []
    decoys = {"mix shift": 0, "retry loop": 0}
    for i in range(form.runs):
        onset_s = trunk.traffic.now_s
        for j, kind in enumerate(KINDS):
            faults = draw(rng, kind, trunk.traffic, onset_s)
            seen.append(observe(trunk, kind, faults, seed * 1000 + 10 * i + j))
        for decoy in _decoys(rng, trunk, onset_s):
            name = decoy.kind.replace("_", " ")
            decoys[name] += quiet_alarms(trunk, (decoy,), 1800, seed * 1000 + 10 * i + 9)
        trunk.advance(1200)
    weeks = trunk.traffic.now_s / WEEK_S * len(trunk.traffic.leaves)
    return seen, decoys, (trunk.false, weeks)


def _decoys(rng: np.random.Generator, trunk: Trunk, now_s: float) -> Iterator[Decoy]:
    yield Decoy("mix_shift", now_s, now_s + 1200, size=float(rng.uniform(5, 20)))
    busiest = trunk.traffic.leaves[int(np.argmax(trunk.traffic.series.rates))]
    yield Decoy("retry_loop", now_s, now_s + 1800, *busiest, size=float(rng.choice([1, 3, 10])))


def delayed(form: Form, seed: int) -> tuple[list[Seen], dict[str, tuple[int, float, str]]]:
    """Receipts come late: outages of which only successes are missing, backlogs, echoes of blasts."""
    warm_s = max(form.network_warm_s / 2, form.receipts_settle_s)
    outage = Trunk.of(Shape(2, 1, 20.0, spread=0.0, delayed=True), seed, Policy())
    outage.advance(warm_s)
    outage.advance((form.morning_s - outage.traffic.now_s) % DAY_S)
    late = []
    for i in range(form.late_runs):
        now_s = outage.traffic.now_s
        fault = Fault(now_s, now_s + 900, 0.4, "c1", late=True)
        late.append(observe(outage, "late", (fault,), seed * 1000 + i))
        outage.advance(1200)
    echo = Trunk.of(DELAYED, seed + 1, Policy())
    echo.advance(warm_s)
    before = echo.false
    echo.advance(form.echo_weeks * WEEK_S)
    weeks = form.echo_weeks * len(DELAYED.leaves)
    backlogs = 0
    for i in range(form.late_runs):
        now_s = echo.traffic.now_s
        decoy = Decoy("backlog", now_s, now_s + 1800, carrier=f"c{i % DELAYED.carriers}")
        backlogs += quiet_alarms(echo, (decoy,), 3600, seed * 1000 + 500 + i)
        echo.advance(1200)
    return late, {
        "blast echo": (echo.false - before, weeks, "series-weeks"),
        "receipt backlog flush": (backlogs, form.late_runs, "runs"),
    }


def _take(results: Results, name: str, got: Any) -> None:
    """One finished job into the results."""
    if name == "quiet":
        results.quiet.append(got)
    elif name == "incidents":
        results.cases += got[0]
    elif name == "bias":
        results.bias = got
    elif name == "scopes":
        seen, decoys, false = got
        results.seen += seen
        results.false_whole.append(false)
        for decoy, alarms in decoys.items():
            old = results.decoys.get(decoy, (0, 0.0, ""))
            runs = sum(s.kind == "pair" for s in seen)
            results.decoys[decoy] = (old[0] + alarms, old[1] + runs, "runs")
    elif name == "delayed":
        results.late, more = got
        results.decoys |= more
    else:
        weeks = got.weeks * len(got.volumes)
        results.decoys[name] = (sum(got.alarms), weeks, "series-weeks")
