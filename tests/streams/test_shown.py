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

    def __init__(self) -> None:
        self.metrics = Metrics(Role.WINDOWS)
        self.shown = Shown(self.metrics, RuleBook.of(DEFAULT_RULES, SOURCES), WallClock(Clock()))
        self.windows = Windows(lateness_ms=5_000)
        self.records: list[bytes] = []

    def apply(self, offset: int, p: Partial) -> None:
        closings = self.windows.apply(offset, p)
        self.shown.partial(p, self.windows)
        for closing in closings:
            self.records += journal.parts(closing, "a")
            self.shown.closed(closing)

    def value(self, name: str, **labels: str) -> float:
        for line in self.metrics.render()[0].decode().splitlines():
            if line.startswith(f"carrier_health_{name}{{") and all(
                f'{k}="{v}"' in line for k, v in labels.items()
            ):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

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
    assert role.total("records_total") == {("twilio", "duplicate"): 4}


def test_a_known_partial_shows_nothing() -> None:
    role = Role1()
    first = partial([msgspec.structs.replace(reach(0, 0, 4, 3), tally={"twilio": {"duplicate": 4}})])
    for offset, p in enumerate([first, partial([reach(0, 4, 5, 4)]), first]):
        role.apply(offset, p)
    assert role.total("records_total") == {("twilio", "duplicate"): 4}


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
