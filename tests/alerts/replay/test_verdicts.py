"""The same incident twice, and what the verdicts on one say of the other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.records import People
from alerts.replay.opened import ReplayError
from alerts.replay.told import Found
from alerts.replay.verdicts import Verdict, of_file, of_incidents, paired, score, within
from streams.commands import Verdict as Word
from streams.records import encode
from tests.alerts.replay.founds import T0_MS, found
from tests.alerts.review.journal import START_S, incident

USEFUL, FALSE, LATE = Word.USEFUL, Word.FALSE, Word.TOO_LATE


@st.composite
def several(draw: st.DrawFn) -> list[Found]:
    places = st.tuples(st.sampled_from(["c1", "c2", "all"]), st.sampled_from(["all", "r1"]))
    rows = draw(st.lists(st.tuples(places, st.integers(0, 200), st.booleans()), max_size=6))
    return [
        found(
            carrier,
            at_s * 10,
            region,
            key=f"{i}",
            resolved_ms=None if is_open else T0_MS + at_s * 10_000 + 60_000,
        )
        for i, ((carrier, region), at_s, is_open) in enumerate(rows)
    ]


def test_kinds_of_pairs() -> None:
    ones = [found("c1", 100), found("c2", 100), found("c3", 100), found("c4", 100)]
    others = [found("c1", 100), found("c2", 70), found("c3", 130), found("c5", 100)]
    kinds = {(p.one or p.other).carrier: (p.what, p.later_s) for p in paired(ones, others)}
    assert kinds == {
        "c1": ("same", 0),
        "c2": ("earlier", -30),
        "c3": ("later", 30),
        "c4": ("missed", 0),
        "c5": ("extra", 0),
    }


def test_the_very_same_scope_comes_before_what_is_nearer() -> None:
    carrier, pair = found("c1", 100), found("c1", 60, "r1")
    (own, extra) = sorted(paired([carrier], [pair, found("c1", 140)]), key=lambda p: p.what, reverse=True)
    assert (own.what, own.later_s, extra.what) == ("later", 40, "extra")
    (only,) = paired([carrier], [pair])
    assert (only.what, only.later_s) == ("earlier", -40)


def test_another_time_or_rule_is_another_incident() -> None:
    for other in (found("c1", 2000), found("c1", 100, rule="other"), found("c2", 100)):
        assert Counter(p.what for p in paired([found("c1", 100)], [other])) == {"missed": 1, "extra": 1}


@settings(deadline=None)
@given(several(), several())
def test_each_incident_is_in_one_pair_and_both_directions_agree(a: list[Found], b: list[Found]) -> None:
    there, back = paired(a, b), paired(b, a)
    assert sorted(p.one.key for p in there if p.one) == sorted(f.key for f in a)
    assert sorted(p.other.key for p in there if p.other) == sorted(f.key for f in b)
    mirrored = {"missed": "extra", "extra": "missed", "earlier": "later", "later": "earlier", "same": "same"}
    kinds, other = (Counter(p.what for p in pairs) for pairs in (there, back))
    assert sum(kinds.values()) == sum(other.values())
    matched = [Counter(abs(p.later_s) for p in pairs if p.one and p.other) for pairs in (there, back)]
    if len(a) <= 1 or len(b) <= 1:
        assert {mirrored[what]: n for what, n in kinds.items()} == other
        assert matched[0] == matched[1]


@settings(deadline=None)
@given(several())
def test_an_incident_list_beside_itself_is_the_same(a: list[Found]) -> None:
    assert all(p.later_s == 0 and p.what == "same" for p in paired(a, a))


def test_a_policy_is_judged_by_what_it_pages() -> None:
    said = [
        Verdict(found("c1"), USEFUL),
        Verdict(found("c2"), USEFUL),
        Verdict(found("c3"), FALSE),
        Verdict(found("c4"), FALSE),
        Verdict(found("c5"), LATE),
    ]
    mine = [found("c1", 130), found("c3"), found("c4", severity="info"), found("c5", 40), found("c6")]
    own = score(mine, said)
    assert (own.useful, own.useful_kept, own.useful_later) == (2, 1, 1)
    assert (own.false, own.false_dropped) == (2, 1)
    assert (own.too_late, own.too_late_kept, own.too_late_improved) == (1, 1, 1)
    assert (own.unjudged, own.delay_s) == (1, -15.0)


def test_without_verdicts_all_pages_are_unjudged() -> None:
    assert score([found()], []).unjudged == 1
    assert score([], []).delay_s is None


def test_verdicts_are_those_of_the_desk(tmp_path: Path) -> None:
    judged = incident(people=People(verdict="too_late"))
    path = tmp_path / "incidents.jsonl"
    path.write_bytes(b"\n".join(map(encode, [judged, incident(key="other")])))
    (one,) = of_file(path)
    assert one == of_incidents([judged])[0]
    assert (one.word, one.incident.key, one.incident.severity) == (LATE, judged.key, "critical")
    assert one.incident.resolved_ms == (judged.resolved_bucket_s + 10) * 1000
    assert within([one], START_S, START_S + 3600) == [one]
    assert within([one], START_S + 3600, START_S + 7200) == within([one], None, 0) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "incidents.jsonl"
    path.write_bytes(msgspec.json.encode({"key": 1}))
    with pytest.raises(ReplayError, match=r"incidents\.jsonl: no incidents"):
        of_file(path)
