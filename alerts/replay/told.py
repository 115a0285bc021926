"""What a backtest found, as JSON lines, as text, and one incident in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from alerts.records import Incident, Severity
from alerts.replay.recount import Recount
from alerts.replay.run import Replay, Seen
from alerts.replay.trace import trace_lines
from streams.records import encode


class Found(msgspec.Struct, frozen=True):
    """One incident (contract: replay --format json). Scope, carrier and region as at opening, severity
    the highest it reached; times are the ends of folded buckets, `onset_ms` the start of one."""

    key: str
    rule: str
    scope: str
    carrier: str
    region: str
    severity: str
    onset_ms: int
    detected_ms: int
    resolved_ms: int | None
    peak_ratio: float
    failed: int
    outcomes: int

    @classmethod
    def of(
        cls, one: Incident, severity: Severity, onset_ms: int, end_ms: Callable[[int], int], detected_ms: int
    ) -> Found:
        """`end_ms` says when a 10 s bucket, by its start in seconds, was over for whoever looked."""
        resolved_s = one.resolved_bucket_s
        return cls(
            key=one.key,
            rule=one.rule,
            scope=one.scope,
            carrier=one.carrier,
            region=one.region,
            severity=severity.value,
            onset_ms=onset_ms,
            detected_ms=detected_ms,
            resolved_ms=None if resolved_s is None else end_ms(resolved_s),
            peak_ratio=one.peak_ratio,
            failed=one.failed,
            outcomes=one.outcomes,
        )


def found(replay: Replay) -> list[Found]:
    """All incidents in the order of their detection."""
    return sorted((_found(replay, s) for s in replay.seen.values()), key=lambda f: (f.detected_ms, f.key))


def _found(replay: Replay, seen: Seen) -> Found:
    one, length_ms = seen.incident, replay.length_s * 1000
    onset_ms = one.onset_ms // length_ms * length_ms
    return Found.of(one, seen.severity, onset_ms, replay.end_ms, replay.end_ms(one.opened_bucket_s))


def json_lines(replay: Replay) -> Iterator[str]:
    return (encode(one).decode() for one in found(replay))


def text_lines(replay: Replay) -> Iterator[str]:
    """One incident a line, for people."""
    for f in found(replay):
        ended = "still open" if f.resolved_ms is None else f"resolved {at(f.resolved_ms)}"
        yield (
            f"{at(f.detected_ms)}  {f.severity:<8} {f.rule}  {f.scope} {f.carrier}/{f.region}  since "
            f"{at(f.onset_ms)}, {ended}, peak {f.peak_ratio:.1%}, {f.failed:,} of {f.outcomes:,} failed"
        )
        yield f"    {f.key}"


def explained(replay: Replay, seen: Seen) -> dict[str, Any]:
    """One incident with every number that the detector keeps of it, and each of its transitions."""
    whole: dict[str, Any] = msgspec.to_builtins(seen.incident)
    whole |= msgspec.to_builtins(_found(replay, seen))
    whole["transitions"] = [msgspec.to_builtins(t) for t in seen.transitions]
    if replay.trace is not None:
        whole["buckets"] = [msgspec.to_builtins(m) for m in replay.trace.moments]
    return {name: value for name, value in whole.items() if name not in _NEVER_SET}


_NEVER_SET = ("deliveries", "people", "status_notes", "storm", "team", "v")
"""Of people, delivery and storage: a backtest has none of them."""


def explained_lines(replay: Replay, seen: Seen) -> Iterator[str]:
    """The same as text: the numbers, what happened in order of time, and why."""
    whole = explained(replay, seen)
    whole.pop("buckets", None)
    transitions = whole.pop("transitions")
    width = max(map(len, whole))
    for name, value in whole.items():
        shown = f"{value} ({at(value)})" if name.endswith("_ms") and isinstance(value, int) else value
        yield f"{name:<{width}}  {shown}"
    yield ""
    for t in transitions:
        yield f"{at(t['at_ms'])}  {t['what']:<14} {t['reason']}  {t['detail']}"
    if replay.trace is not None:
        yield ""
        yield from trace_lines(replay.trace, seen.incident.onset_ms // 1000)


def counted_lines(recount: Recount | None) -> Iterator[str]:
    """What became of the records; nothing where counts were read."""
    if recount is None:
        return
    results = ", ".join(f"{result} {n:,}" for result, n in sorted(recount.results.items()))
    yield f"{recount.records:,} records: {results or 'none'}; late {recount.late:,}"


def summary_lines(replay: Replay) -> Iterator[str]:
    """What was looked at, and how many incidents it held."""
    yield from looked_lines(replay)
    if replay.begun_s is not None:
        yield f"{len(replay.seen)} incidents"


def looked_lines(replay: Replay) -> Iterator[str]:
    """What was looked at: a quiet backtest of nothing must not look like a quiet one."""
    if replay.begun_s is None:
        yield "no buckets in that time"
        return
    length = f"buckets of {replay.length_s} s"
    yield f"{at(replay.begun_s * 1000)} to {at(replay.ended_s * 1000)}, {length}"
    for source, profile in sorted(replay.reader.profiles.items()):
        yield f"source {source}: codes as in {profile}"
    for rule, looked in replay.looked.items():
        yield f"rule {rule}: {looked.outcomes:,} outcomes, {looked.failed:,} failed"


def at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
