"""What validity period the latencies suggest: a table of cases, each within what the provider takes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.cli.validity import told, words
from alerts.settings import Settings
from alerts.validity import (
    LATE_S,
    LIMITS,
    Ends,
    Expired,
    Gathering,
    Latencies,
    Limit,
    Why,
    quantile,
    suggest,
)
from streams.decode import FORMATS
from streams.records import CANARY, LATENCY_BOUNDS_S, Cells, SeriesKey, encode
from streams.settings import Source
from tests.streams.logs import T0_S

COLUMNS = len(LATENCY_BOUNDS_S) + 1
TWILIO, SMPP, VONAGE = LIMITS["twilio-status-callback"], LIMITS["smpp-receipt"], LIMITS["vonage"]
DELIVERED = SeriesKey("twilio", "310-260", "US", "delivered", "")
QUEUED = DELIVERED._replace(outcome_class="expired", code="30036")
ABSENT = DELIVERED._replace(source="smpp", outcome_class="absent_subscriber", code="001")
GAVE_UP = ABSENT._replace(outcome_class="unknown", code="000")


def delivered(**within: int) -> Latencies:
    """`s60=10`: ten deliveries between the bound before 60 s and it; `later` beyond the last."""
    counts = np.zeros(COLUMNS, np.int64)
    for name, n in within.items():
        counts[-1 if name == "later" else LATENCY_BOUNDS_S.index(int(name[1:]))] = n
    return Latencies(delivered=counts)


QUICK = delivered(s5=980, s60=15, s1800=5)
SLOW = delivered(s60=500, s1800=300, later=200)
FEW = delivered(s5=20)


@pytest.mark.parametrize(
    ("latencies", "traffic_class", "limit", "period_s", "why", "lost_ratio"),
    [
        (QUICK, "time_critical", TWILIO, 60, Why.SEEN, 0.005),
        (SLOW, "time_critical", TWILIO, 600, Why.TRAFFIC_CLASS, 0.5),
        (delivered(s1=1000), "time_critical", TWILIO, 60, Why.TRAFFIC_CLASS, 0),
        (delivered(s600=1000), "time_critical", TWILIO, 600, Why.SEEN, 0),
        (FEW, "time_critical", TWILIO, 600, Why.TRAFFIC_CLASS, None),
        (QUICK, "time_critical", VONAGE, 1_800, Why.PROVIDER_LIMIT, 0),
        (QUICK, "", TWILIO, 14_400, Why.TRAFFIC_CLASS, 0),
        (SLOW, "receipts", SMPP, 14_400, Why.TRAFFIC_CLASS, 0.2),
        (QUICK, "marketing", TWILIO, 36_000, Why.PROVIDER_LIMIT, 0),
        (QUICK, "marketing", SMPP, 86_400, Why.TRAFFIC_CLASS, 0),
        (SLOW, "marketing", Limit(), 86_400, Why.TRAFFIC_CLASS, 0.2),
        (Latencies(), "", Limit(), 14_400, Why.TRAFFIC_CLASS, None),
    ],
)
def test_the_suggestion_is_that_of_the_table(
    latencies: Latencies, traffic_class: str, limit: Limit, period_s: int, why: Why, lost_ratio: float | None
) -> None:
    assert suggest(latencies, traffic_class, limit, ("marketing",)) == (period_s, why, lost_ratio)


COUNTS = st.lists(st.integers(0, 2_000), min_size=COLUMNS, max_size=COLUMNS).map(np.array)


@given(COUNTS, st.sampled_from(["", "time_critical", "marketing"]), st.sampled_from(list(LIMITS.values())))
def test_no_suggestion_is_beyond_the_provider_s_limits_or_what_the_article_asks_for(
    counts: np.ndarray, traffic_class: str, limit: Limit
) -> None:
    found = suggest(Latencies(delivered=counts), traffic_class, limit, ("marketing",))
    assert limit.least_s <= found.period_s <= min(limit.most_s or 86_400, 86_400)
    assert found.period_s <= (86_400 if traffic_class == "marketing" else 14_400)


@given(COUNTS, st.floats(0.01, 1))
def test_a_quantile_lies_between_the_bounds_of_its_column(counts: np.ndarray, q: float) -> None:
    at_s = quantile(counts, q)
    assert (at_s is None) == (counts.sum() == 0)
    if at_s is None:
        return
    within = sum(int(n) for n, bound_s in zip(counts, LATENCY_BOUNDS_S, strict=False) if bound_s < at_s)
    assert within <= q * counts.sum() + 1e-6
    assert quantile(counts, q / 2) <= at_s


def test_twilio_can_not_be_told_of_24_h_and_ends_its_own_queue_alone() -> None:
    assert (TWILIO.least_s, TWILIO.most_s, TWILIO.ends) == (1, 36_000, Ends.QUEUE)
    assert SMPP.ends is Ends.NETWORK
    assert set(LIMITS) < set(FORMATS)


def bucket() -> Cells:
    keys = [DELIVERED, QUEUED, ABSENT, GAVE_UP, DELIVERED._replace(source=CANARY)]
    return Cells(
        keys=keys,
        key=list(range(5)),
        bucket_s=[T0_S] * 5,
        finals=[700, 0, 30, 20, 9],
        sends=[0] * 5,
        own=[0, 6, 0, 0, 0],
        unsent=[0, 5, 0, 0, 0],
        expired=[0, 0, 12, 20, 0],
        latency_cell=[0, 0, 0, 2],
        latency_bin=[1, 2, 11, 11],
        latency_n=[590, 100, 10, 30],
        classes=["", "time_critical"],
        latency_class=[0, 1, 1, 0],
    )


def test_buckets_add_up_by_source_and_class_and_tell_expiry_in_the_queue_from_that_in_the_network() -> None:
    found = Gathering()
    for _ in range(2):
        found.take(bucket())
    assert found.expired == {"twilio": Expired(1412, 10, 0, 0), "smpp": Expired(100, 0, 24, 40)}
    assert {k: int(v.all.sum()) for k, v in found.by_class.items()} == {
        ("twilio", ""): 1180,
        ("twilio", "time_critical"): 220,
        ("smpp", ""): 60,
    }
    assert found.by_class["twilio", "time_critical"].late_ratio == pytest.approx(20 / 220)
    assert found.by_class["smpp", ""].delivered.sum() == 0
    assert Latencies().late_ratio is None and LATE_S in LATENCY_BOUNDS_S


SOURCES = (
    Source(name="twilio", format="twilio-event-streams"),
    Source(name="smpp", format="smpp-receipt"),
    Source(name="idle", format="sinch"),
)


def test_what_is_printed_names_each_source_its_limits_and_its_classes() -> None:
    found = Gathering()
    found.take(bucket())
    lines = list(told(Settings(sources=SOURCES), found, ("marketing",)))
    assert [(x.source, x.traffic_class, x.suggested_s) for x in lines] == [
        ("twilio", "", 14_400),
        ("twilio", "time_critical", 600),
        ("smpp", "", 14_400),
        ("idle", "", 14_400),
    ]
    text = "\n".join(words(lines))
    assert "ValidityPeriod, at most 36,000 s; it ends its own queue alone" in text
    assert "706 messages ended; expired in the provider's queue, never sent: 5;" in text
    assert "in the network: 12 at an absent phone, 20 without a reason" in text
    assert "p99  > 4 h  after 4 h   9.1%" in text
    assert text.count("no message ended in this time") == 1
    first = json.loads(encode(lines[0]))
    assert (first["p50_s"], first["expired"]["queue"], first["ends"]) == (3.0, 5, "queue")
    assert json.loads(encode(lines[2]))["p50_s"] is None
