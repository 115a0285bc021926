"""`carrier-health simulate`: labelled synthetic traffic, to the topic or to a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from alerts.progress import EVERY_S, StatusLine
from alerts.settings import Settings
from streams import settings as configuration
from streams import topics
from streams.clock import WallClock
from streams.errors import ConfigError, MonitorError
from streams.kafka_access import librdkafka
from streams.simulate import scenario as scenarios
from streams.simulate.capture import CaptureSink
from streams.simulate.feed import Feeder, Pacer, Progress, feed
from streams.simulate.ledger import Ledger
from streams.simulate.parts import Scenario
from streams.simulate.traffic import new_ledger, records

MIDNIGHT_MS = 1_767_571_200_000
"""2026-01-05T00:00Z, a Monday: files begin on that day, so that the same seed gives the same bytes."""


@click.command()
@click.option(
    "--scenario",
    "name",
    default="demo",
    show_default=True,
    metavar="FILE|NAME",
    help="A TOML file or a built-in.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Final outcomes a second, over all feeds."
)
@click.option("--seed", type=click.IntRange(min=0), help="Another stream of the same scenario.")
@click.option("--for", "seconds", type=click.IntRange(min=1), help="How many seconds of traffic.")
@click.option(
    "--to",
    default="topic",
    show_default=True,
    metavar="topic|FILE",
    help="The outcomes topic, or a .jsonl[.gz] file.",
)
@click.option(
    "--config", type=click.Path(path_type=Path), envvar="CARRIER_HEALTH_CONFIG", help="Configuration file."
)
@click.option(
    "--ledger", "ledger_path", type=click.Path(path_type=Path), help="Writes the truth there, as JSON."
)
def simulate(
    name: str,
    rate: float | None,
    seed: int | None,
    seconds: int | None,
    to: str,
    config: Path | None,
    ledger_path: Path | None,
) -> None:
    """Labelled synthetic traffic in the providers' own formats.

    To the outcomes topic it goes in real time; to a file, in the capture format that replay
    reads, as fast as it can.
    """
    try:
        scenario = _resolved(name, rate, seconds)
        used = scenario.seed if seed is None else seed
        run = _to_topic if to == "topic" else _to_file
        ledger = run(scenario, used, to, config)
        if ledger_path:
            ledger_path.write_bytes(ledger.to_json())
    except ConfigError as e:
        raise _failure(str(e), 2) from None
    except (MonitorError, OSError) as e:
        raise _failure(str(e), 1) from None


def _resolved(name: str, rate: float | None, seconds: int | None) -> Scenario:
    scenario = scenarios.load(name)
    duration_s = scenario.duration_s if seconds is None else seconds
    scenario = msgspec.structs.replace(scenario, rate=rate or scenario.rate, duration_s=duration_s)
    scenarios.check(scenario)
    return scenario


def _to_topic(scenario: Scenario, seed: int, _: str, config: Path | None) -> Ledger:
    """In real time, as the configured clock runs. A keyboard interrupt ends it well."""
    settings = configuration.load(Settings, config)
    clock = WallClock(settings.clock)
    start_ms = clock.now_ms()
    ledger = new_ledger(scenario, start_ms, seed)
    topic = settings.topic(topics.OUTCOMES)
    _announce(scenario, ledger, f"{topic} at {settings.kafka.bootstrap_servers}")
    feeder = Feeder(settings.kafka.bootstrap_servers, topic, access=librdkafka(settings))
    emissions = records(scenario, seed, start_ms, ledger)
    try:
        feed(
            emissions,
            feeder,
            Pacer(clock.now_ms, settings.clock.speed),
            _reporter(scenario, start_ms),
            EVERY_S,
        )
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    _conclude(ledger)
    return ledger


def _to_file(scenario: Scenario, seed: int, to: str, _: Path | None) -> Ledger:
    start_ms = MIDNIGHT_MS + scenario.start_of_day_s * 1000
    ledger = new_ledger(scenario, start_ms, seed)
    _announce(scenario, ledger, to)
    report = _reporter(scenario, start_ms)
    feed(records(scenario, seed, start_ms, ledger), CaptureSink(Path(to)), None, report, EVERY_S)
    _conclude(ledger)
    return ledger


def _announce(scenario: Scenario, ledger: Ledger, to: str) -> None:
    click.echo(f"simulating {scenario.name}, seed {ledger.seed}, {scenario.duration_s} s, to {to}", err=True)
    for label in ledger.incidents:
        begin, end = ((t - ledger.start_ms) / 1000 for t in (label.onset_ms, label.end_ms))
        where = f"{label.scope} {label.carrier}/{label.region}"
        click.echo(
            f"incident: {label.rule} {where}, {label.ratio:.0%} from {begin:g} s to {end:g} s", err=True
        )


def _reporter(scenario: Scenario, start_ms: int) -> Callable[[Progress], None]:
    """Shows rate and time left, in seconds of the scenario."""
    began, shown = time.monotonic(), StatusLine()

    def report(progress: Progress) -> None:
        elapsed_s = max(time.monotonic() - began, 1e-3)
        done_s = (progress.at_ms - start_ms) / 1000
        left_s = max(0.0, scenario.duration_s - done_s) * elapsed_s / max(done_s, 1e-3)
        shown.show(
            f"{progress.records:,} records, {progress.records / elapsed_s:,.0f}/s, "
            f"{done_s:.0f} of {scenario.duration_s} s, {left_s:.0f} s left"
        )

    return report


def _conclude(ledger: Ledger) -> None:
    results = ", ".join(f"{result} {n:,}" for result, n in sorted(ledger.by_result().items()))
    fresh_line = "\n" if sys.stderr.isatty() else ""
    click.echo(f"{fresh_line}{ledger.records:,} records: {results}", err=True)


def _failure(text: str, code: int) -> click.ClickException:
    failure = click.ClickException(text)
    failure.exit_code = code
    return failure
