"""What people said of incidents, and what a policy would have made of those incidents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from alerts.records import ALL, Incident, Severity
from alerts.replay.opened import ReplayError, opened
from alerts.replay.told import Found
from streams.commands import Verdict as Word
from streams.records import BUCKET_S

What = Literal["same", "earlier", "later", "missed", "extra"]
_EVER_MS = 2**62


class Verdict(NamedTuple):
    """An incident as it was live, and what somebody said of it."""

    incident: Found
    word: Word


class Pair(msgspec.Struct, frozen=True):
    """What is the same incident twice. `later_s` is by how much the other one was detected later; `missed`
    has no other, `extra` no one."""

    what: What
    later_s: int
    one: Found | None
    other: Found | None


class Score(msgspec.Struct, frozen=True):
    """Pages by the verdicts. Too late is improved where it comes earlier; `unjudged` are pages that nobody
    judged."""

    useful: int = 0
    useful_kept: int = 0
    useful_later: int = 0
    false: int = 0
    false_dropped: int = 0
    too_late: int = 0
    too_late_kept: int = 0
    too_late_improved: int = 0
    unjudged: int = 0
    delay_s: float | None = None
    """Median by which useful and late pages come later than they came."""


def of_incidents(incidents: Iterable[Incident]) -> list[Verdict]:
    """In order of detection; those of which nobody said anything left out."""
    said = (Verdict(_found(i), Word(i.people.verdict)) for i in incidents if i.people.verdict)
    return sorted(said, key=lambda v: (v.incident.detected_ms, v.incident.key))


def of_file(path: Path) -> list[Verdict]:
    """Of what `carrier-health incidents list --all --json` prints. Raises ReplayError."""
    with opened(path) as (file, _):
        try:
            return of_incidents([msgspec.json.decode(line, type=Incident) for line in file if line.strip()])
        except (msgspec.DecodeError, ValueError) as e:
            raise ReplayError(f"{path}: no incidents as `incidents list --json` prints them: {e}") from None


def _found(one: Incident) -> Found:
    worst = Severity.CRITICAL if one.was_critical or one.critical_key_used else one.severity
    return Found.of(one, worst, one.onset_ms, _end_of, one.detected_ms)


def _end_of(bucket_s: int) -> int:
    return (bucket_s + BUCKET_S) * 1000


def paired(ones: Sequence[Found], others: Sequence[Found]) -> list[Pair]:
    """Each of both exactly once, in order of time. Two are the same where rule and some traffic are the same
    at the same time; of several the one of the very same scope, then the nearest."""
    near = sorted(
        (_distance(a, b), i, j) for i, a in enumerate(ones) for j, b in enumerate(others) if _alike(a, b)
    )
    of_one, of_other = dict[int, int](), set[int]()
    for _, i, j in near:
        if i not in of_one and j not in of_other:
            of_one[i] = j
            of_other.add(j)
    pairs = [_pair(a, others[of_one[i]] if i in of_one else None) for i, a in enumerate(ones)]
    pairs += [_pair(None, b) for j, b in enumerate(others) if j not in of_other]
    return sorted(pairs, key=_when)


def _when(pair: Pair) -> tuple[int, str]:
    either = pair.one or pair.other
    return (either.detected_ms, either.key) if either else (0, "")


def _pair(one: Found | None, other: Found | None) -> Pair:
    if one is None or other is None:
        return Pair("missed" if other is None else "extra", 0, one, other)
    later_s = (other.detected_ms - one.detected_ms) // 1000
    what: What = "same" if later_s == 0 else "later" if later_s > 0 else "earlier"
    return Pair(what, later_s, one, other)


def _distance(a: Found, b: Found) -> tuple[bool, int]:
    same = (a.scope, a.carrier, a.region) == (b.scope, b.carrier, b.region)
    return not same, abs(a.detected_ms - b.detected_ms)


def _alike(a: Found, b: Found) -> bool:
    touch = all(ALL in both or len(set(both)) == 1 for both in ((a.carrier, b.carrier), (a.region, b.region)))
    return a.rule == b.rule and touch and a.onset_ms <= _end_ms(b) and b.onset_ms <= _end_ms(a)


def _end_ms(one: Found) -> int:
    return _EVER_MS if one.resolved_ms is None else one.resolved_ms


def within(said: Iterable[Verdict], begun_s: int | None, ended_s: int) -> list[Verdict]:
    """The verdicts on incidents of the time that was looked at."""
    if begun_s is None:
        return []
    return [v for v in said if begun_s * 1000 < v.incident.detected_ms <= ended_s * 1000]


def score(found: Sequence[Found], said: Sequence[Verdict]) -> Score:
    """Pages alone count: what would have been below the warning line pages nobody."""
    pages = [f for f in found if f.severity != Severity.INFO.value]
    word_of = {id(v.incident): v.word for v in said}
    pairs = paired([v.incident for v in said], pages)
    by_word = {word: [p for p in pairs if p.one and word_of[id(p.one)] is word] for word in Word}
    useful, late = by_word[Word.USEFUL], by_word[Word.TOO_LATE]
    delays = sorted(p.later_s for p in (*useful, *late) if p.other)
    return Score(
        useful=len(useful),
        useful_kept=sum(p.other is not None for p in useful),
        useful_later=sum(p.what == "later" for p in useful),
        false=len(by_word[Word.FALSE]),
        false_dropped=sum(p.other is None for p in by_word[Word.FALSE]),
        too_late=len(late),
        too_late_kept=sum(p.other is not None for p in late),
        too_late_improved=sum(p.what == "earlier" for p in late),
        unjudged=sum(p.what == "extra" for p in pairs),
        delay_s=(delays[(len(delays) - 1) // 2] + delays[len(delays) // 2]) / 2 if delays else None,
    )
