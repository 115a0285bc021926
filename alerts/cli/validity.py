"""`carrier-health validity`: how long messages take to arrive, and what validity period that suggests."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Collection, Iterator
from contextlib import aclosing
from pathlib import Path

import click
import msgspec

from alerts import validity as rules
from alerts.cli.desk import json_option
from alerts.cli.roles import config_option
from alerts.cli.when import Span, When
from alerts.progress import Progress
from alerts.settings import Settings, load
from alerts.validity import Ends, Expired, Gathering, Latencies, Limit, Suggestion, Why
from streams.clock import WallClock
from streams.log_reader import read_buckets
from streams.records import BUCKET_S, encode

UNHURRIED = ("bulk", "marketing", "promotional")


class Line(msgspec.Struct, frozen=True):
    """What `--json` prints of one source and traffic class. Seconds; None where nothing is known; a
    percentile beyond four hours is left out."""

    source: str
    format: str
    traffic_class: str
    outcomes: int
    """Those whose latency is told."""
    delivered: int
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    late_ratio: float | None
    """Share of the outcomes that came after four hours."""
    expired: Expired
    """Of the whole source: `ended` messages, those that expired in the `queue`, and those that did in the
    network: `absent` by their code, or without a reason."""
    parameter: str
    limit_s: int | None
    ends: str
    suggested_s: int
    why: str
    lost_ratio: float | None
    """Share of the deliveries, at most, that come later than what is suggested."""


@click.command()
@click.option("--to", "to_ms", type=When(), help="End of the time that is looked at; now, if not given.")
@click.option("--for", "span_ms", type=Span(), default="24h", show_default=True, help="How long it is.")
@click.option("--source", "only", help="This source alone.")
@click.option(
    "--unhurried",
    multiple=True,
    default=UNHURRIED,
    show_default=True,
    metavar="CLASS",
    help="A traffic class whose time does not matter; may be given several times.",
)
@json_option
@config_option
def validity(
    to_ms: int | None,
    span_ms: int,
    only: str | None,
    unhurried: tuple[str, ...],
    as_json: bool,
    config: Path | None,
) -> None:
    """How long messages take to arrive by source and traffic class, how many come too late or expire, and
    what validity period that suggests within the provider's limits.

    Buckets are read from the topic `windows`, which keeps 30 days.
    """
    settings = load(config)
    to_s = (WallClock(settings.clock).now_ms() if to_ms is None else to_ms) // 1000
    found = asyncio.run(_gathered(settings, to_s - span_ms // 1000, to_s))
    lines = [line for line in told(settings, found, unhurried) if only in (None, line.source)]
    if as_json:
        for line in lines:
            click.echo(encode(line).decode())
        return
    for text in words(lines):
        click.echo(text)


async def _gathered(settings: Settings, from_s: int, to_s: int) -> Gathering:
    """Raises Unreachable without Kafka."""
    found, progress = Gathering(), Progress(quiet=not sys.stderr.isatty())
    progress.begin("reading buckets")
    async with aclosing(read_buckets(settings, from_s, to_s)) as buckets:
        async for complete in buckets:
            found.take(complete.cells)
            progress.update((complete.record.bucket_s - from_s) // BUCKET_S, (to_s - from_s) // BUCKET_S)
    progress.finish()
    return found


def told(settings: Settings, found: Gathering, unhurried: Collection[str]) -> Iterator[Line]:
    """By source in the order of the configuration, and traffic class; of a source without any, one line."""
    for source in settings.sources:
        limit = rules.LIMITS.get(source.format, Limit())
        classes = sorted(name for own, name in found.by_class if own == source.name) or [""]
        for name in classes:
            latencies = found.by_class.get((source.name, name), Latencies())
            suggested = rules.suggest(latencies, name, limit, unhurried)
            expired = found.expired.get(source.name, Expired())
            yield _line(source.name, source.format, name, latencies, expired, limit, suggested)


def _line(
    source: str,
    format_: str,
    name: str,
    latencies: Latencies,
    expired: Expired,
    limit: Limit,
    suggested: Suggestion,
) -> Line:
    def quantile(q: float) -> float | None:
        at_s = rules.quantile(latencies.all, q)
        return None if at_s is None or math.isinf(at_s) else round(at_s, 1)

    return Line(
        source,
        format_,
        name,
        int(latencies.all.sum()),
        int(latencies.delivered.sum()),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        latencies.late_ratio,
        expired,
        limit.parameter,
        limit.most_s,
        limit.ends,
        suggested.period_s,
        suggested.why,
        suggested.lost_ratio,
    )


def words(lines: list[Line]) -> Iterator[str]:
    """For people: a heading for each source, a line for each of its classes."""
    shown = ""
    for line in lines:
        if line.source != shown:
            yield from _heading(line)
            shown = line.source
        yield (
            f"  {line.traffic_class or '(no class)':<16} {line.delivered:>9,} delivered"
            f"  p50 {_time(line, line.p50_s):>6}  p90 {_time(line, line.p90_s):>6}"
            f"  p99 {_time(line, line.p99_s):>6}  after 4 h {_share(line.late_ratio):>6}"
        )
        yield f"    validity period {_seconds(line.suggested_s)}: {_why(line)}"


def _heading(line: Line) -> Iterator[str]:
    e = line.expired
    yield f"{line.source} ({line.format}): {_limit(line)}"
    if e.ended:
        yield (
            f"  {e.ended:,} messages ended; expired in the provider's queue, never sent: {e.queue:,}; "
            f"in the network: {e.absent:,} at an absent phone, {e.network:,} without a reason"
        )
    else:
        yield "  no message ended in this time"


def _limit(line: Line) -> str:
    if not line.parameter:
        return "what its validity period can be is in the provider's documentation"
    most = f", at most {line.limit_s:,} s" if line.limit_s else ", what the network takes"
    ends = "its own queue alone" if line.ends == Ends.QUEUE else "the network's tries"
    return f"{line.parameter}{most}; it ends {ends}"


def _why(line: Line) -> str:
    reason = {
        Why.SEEN: "99 % of the deliveries come within it",
        Why.TRAFFIC_CLASS: "what such traffic asks for",
        Why.PROVIDER_LIMIT: "what the provider takes",
    }[Why(line.why)]
    if line.lost_ratio is None:
        return f"{reason}; too few latencies are told to say more"
    return f"{reason}; at most {_share(line.lost_ratio)} of the deliveries come later"


def _time(line: Line, at_s: float | None) -> str:
    if at_s is None:
        return "> 4 h" if line.outcomes else "-"
    return _seconds(at_s)


def _seconds(at_s: float) -> str:
    if at_s >= 7200:
        return f"{at_s / 3600:.0f} h"
    return f"{at_s / 60:.0f} min" if at_s >= 120 else f"{at_s:.0f} s"


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1%}"
