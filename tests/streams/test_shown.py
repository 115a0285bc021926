"""What the windows role shows adds up to the ledger."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import journal
from streams.clock import WallClock
from streams.journal import Assembler
from streams.metrics import Metrics, Role
from streams.records import Partial, Result
from streams.rules import RuleBook
from streams.settings import DEFAULT_RULES, Clock, Source
from streams.shown import Shown
from streams.window import Windows
from tests.streams.logs import BAD, GOOD, OTHER, T0_S, finals, partial, reach

SOURCES = (Source(name="twilio", format="canonical"), Source(name="smpp", format="smpp-receipt"))
BESIDE = [r for r in Result if r not in (Result.COUNTED, Result.LATE)]


class Role1:
    """Windows and what they show, without Kafka."""

    def __init__(self, most_series: int = 20_000) -> None:
        self.metrics = Metrics(Role.WINDOWS)
        book = RuleBook.of(DEFAULT_RULES, SOURCES)
        self.shown = Shown(self.metrics, book, WallClock(Clock()), most_series)
        self.windows = Windows(lateness_ms=5_000)
        self.records: list[bytes] = []

    def apply(self, offset: int, p: Partial) -> None:
        closings = self.windows.apply(offset, p)
        self.shown.partial(p, self.windows)
        for closing in closings:
            self.records += journal.parts(closing, "a")
            self.shown.closed(closing)
        if closings:
            self.shown.refresh()

    def value(self, name: str, **labels: str) -> float:
        for line in self.metrics.render()[0].decode().splitlines():
            if line.startswith(f"carrier_health_{name}{{") and all(
                f'{k}="{v}"' in line for k, v in labels.items()
            ):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def sum(self, name: str) -> float:
        lines = self.metrics.render()[0].decode().splitlines()
        return sum(float(x.rsplit(" ", 1)[1]) for x in lines if x.startswith(f"carrier_health_{name}{{"))

    def total(self, name: str) -> Counter[tuple[str, str]]:
        out: Counter[tuple[str, str]] = Counter()
        for family in self.metrics.registry.collect():
            for sample in family.samples:
                if sample.name == f"carrier_health_{name}" and sample.value:
                    out[sample.labels["source"], sample.labels["result"]] += int(sample.value)
        return out


ROWS = st.lists(st.tuples(st.sampled_from([GOOD, BAD, OTHER]), st.integers(0, 40)), max_size=5)
TOLD = st.lists(
    st.tuples(ROWS, st.sampled_from([0, 1, 7, 30]), st.sampled_from(BESIDE), st.integers(0, 9)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(TOLD)
def test_the_results_shown_add_up_to_what_was_received(told: list[tuple]) -> None:
    role, clock_s, end, want = Role1(), 50, 0, Counter[tuple[str, str]]()
    for offset, (rows, advance, result, n) in enumerate(
        [*told, ([], 100, BESIDE[0], 0), ([], 20, BESIDE[0], 0)]
    ):
        clock_s += advance
        by_source: dict[str, Counter[str]] = {}
        for key, _ in rows:
            by_source.setdefault(key.source, Counter())["counted"] += 1
        by_source.setdefault("twilio", Counter())[result.value] += n
        size = len(rows) + n
        r = msgspec.structs.replace(
            reach(0, end, end + size, clock_s), tally={s: dict(c) for s, c in by_source.items()}
        )
        end += size
        cells = [row for key, behind in rows for row in finals(key, clock_s - behind)]
        role.apply(offset, partial([r], cells))
        for source, counts in by_source.items():
            want.update({(source, name): k for name, k in counts.items() if k})
    shown = role.total("records_total")
    assert sum(shown.values()) == end
    for source in ("twilio", "smpp"):
        counted = want[source, "counted"]
        assert shown[source, "counted"] + shown[source, "late"] == counted
    assert {k: v for k, v in shown.items() if k[1] not in ("counted", "late")} == {
        k: v for k, v in want.items() if k[1] != "counted"
    }


def test_a_tally_told_in_parts_counts_once() -> None:
    role = Role1()
    r = msgspec.structs.replace(reach(0, 0, 4, 3), tally={"twilio": {"duplicate": 4}})
    for part in (1, 2):
        role.apply(part, partial([r], part=part, parts=2))
    assert role.total("records_total") == {}, "no journal record covers it yet"
    role.apply(3, partial([reach(0, 4, 4, 16)]))
    assert role.total("records_total") == {("twilio", "duplicate"): 4}


def test_a_known_partial_shows_nothing() -> None:
    role = Role1()
    first = partial([msgspec.structs.replace(reach(0, 0, 4, 3), tally={"twilio": {"duplicate": 4}})])
    for offset, p in enumerate([first, partial([reach(0, 4, 5, 4)]), first, partial([reach(0, 5, 5, 16)])]):
        role.apply(offset, p)
    assert role.total("records_total") == {("twilio", "duplicate"): 4}


def test_what_no_journal_record_covers_is_counted_by_who_comes_next_alone() -> None:
    told = [
        partial([msgspec.structs.replace(reach(0, i, i + 1, 3 + i), tally={"twilio": {"duplicate": 1}})])
        for i in range(14)
    ]
    died, after = Role1(), Role1()
    for offset, p in enumerate(told[:13]):
        died.apply(offset, p)  # the clock passes the end of a bucket with the last of them
    assert died.total("records_total") == {("twilio", "duplicate"): 13}
    died.apply(13, told[13])
    complete = [c for i, value in enumerate(died.records) if (c := Assembler().feed(i, value))]
    after.windows.remember(complete[-1].record, complete[-1].cells)
    after.shown.restart(after.windows, complete)
    after.apply(13, told[13])
    after.apply(14, partial([reach(0, 14, 14, 30)]))
    total = died.total("records_total") + after.total("records_total")
    assert total == {("twilio", "duplicate"): 14}


def test_a_series_is_at_0_from_first_sight_so_that_its_first_increase_is_seen() -> None:
    role = Role1()
    role.apply(0, partial([reach(0, 0, 3, 5)], finals(BAD, 1, 2, 3)))
    labels = {"carrier": BAD.carrier, "outcome_class": BAD.outcome_class}
    assert "carrier_health_outcomes_total{" in role.metrics.render()[0].decode()
    assert role.value("outcomes_total", **labels) == 0
    role.apply(1, partial([reach(0, 3, 3, 16)]))
    assert role.value("outcomes_total", **labels) == 3
    again, (complete,) = Role1(), [c for i, v in enumerate(role.records) if (c := Assembler().feed(i, v))]
    again.windows.remember(complete.record, complete.cells)
    again.shown.restart(again.windows, [complete])
    assert f'outcomes_total{{carrier="{BAD.carrier}"' in again.metrics.render()[0].decode()
    assert again.value("outcomes_total", **labels) == 0


def test_receipts_are_missing_of_sources_that_tell_of_sends() -> None:
    role = Role1()
    rows = [*finals(GOOD, 1, 2), *finals(OTHER, 1, 2, 3)]
    sent = partial([reach(0, 0, 9, 5)], rows)
    sent.cells.sends = [7 if sent.cells.keys[k] == GOOD else 0 for k in sent.cells.key]
    role.apply(0, sent)
    role.apply(1, partial([reach(0, 9, 9, 16)]))
    assert role.value("receipts_missing", carrier=GOOD.carrier, region="US") == 12
    assert role.sum("receipts_missing") == 12
    assert f'missing{{carrier="{OTHER.carrier}"' not in role.metrics.render()[0].decode()


def test_expiries_are_told_apart_by_where_the_message_was() -> None:
    role, gave_up = Role1(), OTHER._replace(outcome_class="unknown", code="000")
    queued = BAD._replace(outcome_class="expired", code="30036")
    told = partial([reach(0, 0, 9, 5)], [*finals(OTHER, 1, 2), *finals(gave_up, 1), *finals(queued, 1)])
    keys = [told.cells.keys[k] for k in told.cells.key]
    told.cells.expired = [int(key in (OTHER, gave_up)) for key in keys]
    told.cells.own = told.cells.unsent = [4 * (key == queued) for key in keys]
    role.apply(0, told)
    role.apply(1, partial([reach(0, 9, 9, 16)]))
    assert role.value("outcomes_expired_total", expiry="queue", carrier=BAD.carrier) == 4
    assert role.value("outcomes_expired_total", expiry="absent", carrier=OTHER.carrier) == 2
    assert role.value("outcomes_expired_total", expiry="network") == 1


def test_latencies_by_traffic_class_are_those_of_messages_that_have_one() -> None:
    for most in (20_000, 1):
        role = Role1(most)
        told = partial([reach(0, 0, 9, 5)], finals(GOOD, 1, 2))
        told.cells.latency_cell, told.cells.latency_bin = [0, 0, 0], [1, 2, 11]
        told.cells.latency_n, told.cells.latency_class = [5, 3, 2], [1, 0, 2]
        told.cells.classes = ["", "time_critical", "otp"]
        role.apply(0, told)
        role.apply(1, partial([reach(0, 9, 9, 16)]))
        assert role.sum("class_latency_seconds_count") == 7
        assert role.sum("receipt_latency_seconds_count") == 10
        others = 0 if most > 1 else 5
        assert role.value("class_latency_seconds_count", traffic_class="time_critical") == 5 - others
        assert role.value("class_latency_seconds_count", traffic_class="other") == others
        assert role.value("series_limited_total", metric="class_latency_seconds") == (others > 0)


def test_over_the_cap_the_sum_with_other_is_the_same() -> None:
    role, capped = Role1(), Role1(most_series=1)
    for one in (role, capped):
        one.apply(
            0, partial([reach(0, 0, 20, 5)], [*finals(GOOD, 1, 2, 3), *finals(BAD, 1), *finals(OTHER, 2)])
        )
        one.apply(1, partial([reach(0, 20, 20, 16)]))
    for name in ("outcomes_total", "window_outcomes", "window_eligible", "window_failures"):
        assert capped.sum(name) == role.sum(name) > 0
        assert capped.value("series_limited_total", metric=name) > 0
        assert role.value("series_limited_total", metric=name) == 0
    assert capped.value("window_outcomes", carrier="other", region="other", window="1m") == 4


def test_over_the_cap_a_flagged_series_takes_the_place_of_another() -> None:
    role = Role1(most_series=1)
    role.apply(0, partial([reach(0, 0, 9, 5)], [*finals(GOOD, 1, 2, 3), *finals(OTHER, 2)]))
    role.apply(1, partial([reach(0, 9, 9, 16)]))
    named = OTHER.carrier if role.value("window_outcomes", carrier=OTHER.carrier) else GOOD.carrier
    flagged = GOOD if named == OTHER.carrier else OTHER
    assert role.shown.limited
    role.shown.flagged = lambda pair: pair[0] == flagged.carrier
    role.apply(2, partial([reach(0, 9, 20, 90)], [*finals(GOOD, 80), *finals(OTHER, 80)]))
    role.apply(3, partial([reach(0, 20, 20, 106)]))
    assert role.value("window_outcomes", carrier=flagged.carrier, window="1h") == 2 + 2 * (flagged == GOOD)
    assert role.sum("window_outcomes") > 0 == role.value("window_outcomes", carrier=named)


def test_a_source_that_has_been_silent_for_an_hour_has_no_share_of_unknown_carriers() -> None:
    role = Role1()
    unknown = GOOD._replace(carrier="unknown")
    role.apply(0, partial([reach(0, 0, 4, 16)], finals(unknown, 1, 2)))
    assert role.value("carrier_unknown_ratio", source="twilio") == 1
    role.apply(1, partial([reach(0, 4, 4, 3_700)]))
    assert role.value("carrier_unknown_ratio", source="twilio") == 0


def test_a_standby_shows_no_gauge_of_what_was() -> None:
    role = Role1()
    role.apply(0, partial([reach(0, 0, 20, 16)], finals(GOOD, 1, 2, 3)))
    assert role.sum("window_outcomes") and role.sum("last_event_timestamp_seconds")
    role.shown.stand_by()
    text = role.metrics.render()[0].decode()
    for name in (
        "window_outcomes",
        "window_eligible",
        "watermark_lag_seconds",
        "last_event_timestamp_seconds",
    ):
        assert f"carrier_health_{name}{{" not in text
    assert role.sum("outcomes_total") == 3, "counters stay"


def test_gauges_after_a_restart_are_what_they_were() -> None:
    role = Role1()
    rows = [(BAD, T0_S + s, 3, (s % 3 + 1, 7)) for s in range(0, 200, 20)] + finals(GOOD, *range(0, 200, 5))
    role.apply(0, partial([reach(0, 0, 99, 205)], rows))
    again, assembler = Role1(), Assembler()
    complete = [c for i, value in enumerate(role.records) if (c := assembler.feed(i, value))]
    for c in complete:
        again.windows.remember(c.record, c.cells)
    again.shown.restart(again.windows, complete)
    labels = {"carrier": BAD.carrier, "region": BAD.region}
    for name, more in [
        ("window_outcomes", {"window": "1m"}),
        ("window_outcomes", {"window": "1h"}),
        ("window_failures", {"window": "5m", "rule": "twilio_30003"}),
        ("window_failure_ratio", {"window": "5m", "rule": "twilio_30003"}),
        ("window_distinct_recipients", {"rule": "twilio_30003"}),
    ]:
        assert again.value(name, **labels, **more) == role.value(name, **labels, **more) > 0
    assert again.total("records_total") == {}
    assert role.value("window_distinct_recipients", **labels, rule="twilio_30003") == 4
    assert role.value("window_failure_ratio", **labels, window="1h", rule="twilio_30003") == 30 / 70


# -- when nothing comes ---------------------------------------------------------------------------


class Hand:
    """A clock that is set by hand."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def now_ms(self) -> int:
        return int(self.now_s * 1000)


def blind(metrics: Metrics) -> dict[str, float]:
    samples = [s for family in metrics.blind.collect() for s in family.samples]
    return {s.labels["reason"]: s.value for s in samples}


def test_an_ingest_that_is_dead_is_said_after_a_minute_and_closes_nothing() -> None:
    clock, metrics = Hand(T0_S), Metrics(Role.WINDOWS)
    shown = Shown(metrics, RuleBook.of(DEFAULT_RULES, SOURCES), clock)  # type: ignore[arg-type]
    windows = Windows(lateness_ms=5_000)
    first = partial([reach(0, 0, 10, 30)], finals(GOOD, 1, 2, 3))
    closed = windows.apply(0, first)
    shown.partial(first, windows)
    clock.now_s += 60
    assert blind(metrics) == {"partials_silent": 0, "clock_held": 0}
    clock.now_s += 1
    assert blind(metrics) == {"partials_silent": 1, "clock_held": 0}
    assert windows.next_bucket_s == T0_S + 20 and len(closed) == 2, "only clocks close, silence never"
    again = partial([reach(0, 10, 10, 91)])
    assert len(windows.apply(1, again)) == 6
    shown.partial(again, windows)
    assert blind(metrics)["partials_silent"] == 0


def test_a_partition_without_a_clock_is_said_at_once() -> None:
    metrics = Metrics(Role.WINDOWS)
    shown = Shown(metrics, RuleBook.of(DEFAULT_RULES, SOURCES), WallClock(Clock()))
    windows = Windows(lateness_ms=5_000)
    one = partial([reach(0, 0, 10, 30), reach(1, 0, 0, None)], sources={"outcomes": 2})
    assert windows.apply(0, one) == []
    shown.partial(one, windows)
    assert blind(metrics) == {"partials_silent": 0, "clock_held": 1}


def test_each_role_tells_only_what_it_can_know() -> None:
    assert set(blind(Metrics(Role.WINDOWS))) == {"partials_silent", "clock_held"}
    assert set(blind(Metrics(Role.ALERTS))) == {"windows_silent", "no_outcomes"}
