"""Policy against policy: the same, earlier or later, missed, extra; and what people's verdicts say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from alerts.policy import Policy
from alerts.replay.run import Replay
from alerts.replay.told import Found, at, found
from alerts.replay.verdicts import Pair, Score, Verdict, paired, score, within


class Compared(msgspec.Struct, frozen=True):
    """One policy, `changes` from the first one, and its incidents beside those of the first."""

    name: str
    changes: dict[str, Any]
    incidents: list[Found]
    pairs: list[Pair]
    score: Score | None
    """None where no verdict is about the time that was looked at."""


def comparison(names: Sequence[str], runs: Sequence[Replay], said: Sequence[Verdict]) -> list[Compared]:
    """The first run beside each of the others; without others by itself."""
    first = runs[0]
    said = within(said, first.begun_s, first.ended_s)
    ones = found(first)
    return [_compared(name, first.policy, run, ones, said) for name, run in zip(names, runs, strict=True)]


def _compared(
    name: str, base: Policy, run: Replay, ones: Sequence[Found], said: Sequence[Verdict]
) -> Compared:
    others = found(run)
    old, new = (msgspec.to_builtins(policy) for policy in (base, run.policy))
    changes = {key: value for key, value in new.items() if value != old[key]}
    return Compared(name, changes, others, paired(ones, others), score(others, said) if said else None)


def lines(compared: Sequence[Compared]) -> Iterator[str]:
    """For people: the policies in short, then what differs, incident by incident."""
    yield from table(
        [
            ("POLICY", "INCIDENTS", "SAME", "EARLIER", "LATER", "MISSED", "EXTRA"),
            *(_counts(one) for one in compared),
        ]
    )
    yield ""
    if compared[0].score is None:
        yield "no verdicts on incidents of that time: nothing is judged"
    else:
        yield from _scores(compared)
    for one in compared[1:]:
        yield ""
        yield f"{one.name}: " + (", ".join(f"{k} = {v}" for k, v in one.changes.items()) or "the same policy")
        yield from (_pair_line(pair) for pair in one.pairs)


def _counts(one: Compared) -> tuple[str, ...]:
    kinds = Counter(pair.what for pair in one.pairs)
    counts = (kinds[what] for what in ("same", "earlier", "later", "missed", "extra"))
    return (one.name, str(len(one.incidents)), *map(str, counts))


def _scores(compared: Sequence[Compared]) -> Iterator[str]:
    yield from table(
        [
            ("POLICY", "USEFUL KEPT", "FALSE DROPPED", "TOO LATE KEPT", "IMPROVED", "NOT JUDGED", "LATER BY"),
            *(_score(one.name, one.score) for one in compared if one.score is not None),
        ]
    )


def _score(name: str, s: Score) -> tuple[str, ...]:
    return (
        name,
        f"{s.useful_kept} of {s.useful}",
        f"{s.false_dropped} of {s.false}",
        f"{s.too_late_kept} of {s.too_late}",
        str(s.too_late_improved),
        str(s.unjudged),
        "-" if s.delay_s is None else f"{s.delay_s:+.0f} s",
    )


def _pair_line(pair: Pair) -> str:
    either = pair.one or pair.other
    if either is None:
        return ""
    how = pair.what if pair.later_s == 0 else f"{pair.what} by {abs(pair.later_s)} s"
    severities = dict.fromkeys(f.severity for f in (pair.one, pair.other) if f is not None)
    return f"  {how:<16} {at(either.detected_ms)}  {' -> '.join(severities):<20} {either.key}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
