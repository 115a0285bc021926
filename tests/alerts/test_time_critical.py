"""Time-critical traffic raises severity: from the record's label to the page.

minute  0 ...... 2 wwwwwwwwwwww      7 % of failures, above the warning line
urgent             |share of the failed that is time-critical|
"""

from __future__ import annotations

import math

import msgspec
import pytest

from alerts.counts import Count, leaves
from alerts.decide import Decided, begin, decide
from alerts.paging import pages, summary
from alerts.records import Decision, Incident, Severity
from streams.records import Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import Rule, Source
from streams.source import Source as StreamSource
from tests.alerts.traffic import KNOWN, RULE, START_S

BOOK = RuleBook.of((Rule(name="r", codes=("30003",)),), (Source(name="s", format="canonical"),))


def play(shares: list[float], ratio: float = 0.07) -> tuple[list[str], Incident, list[Decided]]:
    """Six buckets for each share, after two healthy minutes; the incident as it is last."""
    state, words, out = begin(KNOWN, (RULE,)), [], []
    incident: Incident | None = None
    for at in range(6 * (2 + len(shares))):
        ill, share = at >= 12, shares[max(at // 6 - 2, 0)]
        counts = {("well", "x"): Count(100, 1, 100, 1)}
        for region in ("x", "y"):
            p = ratio if ill else 0.01
            k = math.floor(100 * p * (at + 1)) - math.floor(100 * p * at)
            counts["ill", region] = Count(100, k, 100, k, urgent=round(k * share) if ill else 0)
        state, decided = decide(state, KNOWN, START_S + 10 * at, {RULE: counts})
        words += [t.what for t in decided.transitions]
        out.append(decided)
        incident = decided.incidents[-1] if decided.incidents else incident
    assert incident is not None
    return words, incident, out


def test_a_warning_is_critical_where_much_of_it_is_time_critical() -> None:
    words, incident, decided = play([0.5] * 6)
    assert words == ["opened"]
    assert (incident.severity, incident.reason) == (Severity.CRITICAL, Decision.TIME_CRITICAL)
    assert "of the failed are time-critical: lines of their own hold" in incident.explanation
    assert f"{incident.time_critical} time-critical" in summary(incident)
    assert pages(incident)[0].severity is Severity.CRITICAL
    flags = [f for f in decided[-1].flags if f.carrier == "ill"]
    assert {f.severity for f in flags} == {Severity.CRITICAL}
    assert all("time-critical" in f.explanation for f in flags)


def test_little_of_it_changes_nothing() -> None:
    words, incident, _ = play([0.1] * 6)
    assert words == ["opened"]
    assert (incident.severity, incident.reason) == (Severity.WARNING, Decision.ABOVE_WARNING)
    assert "time-critical" not in incident.explanation + summary(incident)


def test_it_escalates_when_time_critical_messages_join_and_does_not_flap() -> None:
    words, incident, _ = play([0.0] * 4 + [0.6] * 12)
    assert words == ["opened", "escalated"]
    assert incident.severity is Severity.CRITICAL


def test_it_steps_down_once_they_have_gone() -> None:
    words, incident, _ = play([0.6] * 3 + [0.0] * 16)
    assert words == ["opened", "stepped_down"]
    assert incident.severity is Severity.WARNING


def test_its_own_lines_hold_where_they_are_set() -> None:
    own = msgspec.structs.replace(KNOWN, time_critical_warning=0.03, time_critical_critical=0.08)
    assert [own.level(p, urgent=True) for p in (0.02, 0.04, 0.07, 0.09)] == [
        Severity.INFO,
        Severity.WARNING,
        Severity.WARNING,
        Severity.CRITICAL,
    ]
    assert [own.level(p) for p in (0.04, 0.07, 0.09)] == [Severity.INFO, Severity.WARNING, Severity.WARNING]


def test_a_label_of_the_users_own_is_time_critical_by_the_sources_configuration() -> None:
    source = StreamSource.of(
        Source(name="s", format="canonical", codes="twilio", traffic_classes={"otp": "time_critical"})
    )
    record = b'{"message_id":"m","status":"delivered","received_ms":1,"traffic_class":"%s"}'
    known = [source.decoder.decode_batch([record % label])[0] for label in (b"otp", b"promo", b"")]
    assert [source.traffic_class(r) for r in known] == ["time_critical", "promo", None]  # type: ignore[arg-type]


def test_a_spike_below_the_warning_line_stays_information() -> None:
    assert KNOWN.level(0.04, urgent=True) is Severity.INFO


@pytest.mark.parametrize(("urgent", "failed", "notable"), [(4, 4, False), (5, 25, True), (5, 26, False)])
def test_a_notable_share_is_a_fifth_and_five_messages(urgent: int, failed: int, notable: bool) -> None:
    assert KNOWN.urgent(urgent, failed) is notable


def test_counts_take_the_class_of_failures_alone_and_nothing_of_older_cells() -> None:
    keys = [SeriesKey("s", "a", "x", "delivered", ""), SeriesKey("s", "a", "x", "absent_subscriber", "30003")]
    cells = Cells(keys=keys, key=[0, 1], bucket_s=[0, 0], finals=[10, 4], sends=[0, 0], time_critical={1: 3})
    assert leaves(cells, BOOK)["r"]["a", "x"] == Count(14, 4, 14, 4, urgent=3)
    cells.time_critical = {}
    assert leaves(cells, BOOK)["r"]["a", "x"].urgent == 0
